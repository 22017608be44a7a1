/** The list of all projects (`simple/`), in either form. Names only: nothing in it is judged. */
import type { Document, Rendered } from "../ecosystem.ts";
import { InvalidMetadata } from "../errors.ts";
import { isRecord } from "../json.ts";
import { type Form, MEDIA_TYPES } from "./accept.ts";
import { escapeHtml, readTags } from "./html.ts";
import { checkMeta, parseJson, parseText } from "./read.ts";
import { pypiVersions } from "./versions.ts";

/** PyPI's own list is 40 MB, so one that is in the right form already is passed on as it is. */
export function renderProjects(document: Document, form: Form): Rendered {
  if (document.type === MEDIA_TYPES.json) {
    if (form === "json") return { body: document.bytes, type: MEDIA_TYPES.json };
    return page(namesOfJson(document), form);
  }
  if (document.type !== MEDIA_TYPES["v1+html"] && document.type !== MEDIA_TYPES.html) {
    throw new InvalidMetadata(`Cannot read ${document.type} as a list of projects`);
  }
  const names = namesOfHtml(document);
  if (form !== "json") return page(names, form);
  const body = { meta: { "api-version": "1.0" }, projects: names.map((name) => ({ name })) };
  return { body: JSON.stringify(body), type: MEDIA_TYPES.json };
}

function namesOfJson(document: Document): string[] {
  const list = parseJson(document);
  checkMeta(list);
  if (!Array.isArray(list.projects)) throw new InvalidMetadata("Cannot read the list of projects");
  return list.projects.map((project: unknown) => {
    if (isRecord(project) && typeof project.name === "string") return project.name;
    throw new InvalidMetadata("Cannot read the list of projects: one has no name");
  });
}

function namesOfHtml(document: Document): string[] {
  const names: string[] = [];
  for (const { name, attributes, text } of readTags(parseText(document))) {
    if (name === "a" && attributes.has("href") && pypiVersions.normalizeName(text) !== null) {
      names.push(text);
    }
  }
  return names;
}

function page(names: readonly string[], form: Form): Rendered {
  const lines = names.map((name) => {
    const address = pypiVersions.normalizeName(name);
    return address === null ? "" : `    <a href="${address}/">${escapeHtml(name)}</a><br />\n`;
  });
  const body = "<!DOCTYPE html>\n<html>\n  <head>\n" +
    '    <meta name="pypi:repository-version" content="1.0">\n' +
    `    <title>Simple index</title>\n  </head>\n  <body>\n${lines.join("")}  </body>\n</html>\n`;
  return { body, type: `${MEDIA_TYPES[form]}; charset=utf-8` };
}
