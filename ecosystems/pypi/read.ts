/** The checks that every document of an upstream goes through first. */
import type { Document } from "../ecosystem.ts";
import { InvalidMetadata } from "../errors.ts";
import { isRecord, readJson } from "../json.ts";

/** Throws InvalidMetadata if it is not UTF-8. */
export function parseText(document: Document): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(document.bytes);
  } catch (cause) {
    throw new InvalidMetadata(`Cannot read ${document.url} as UTF-8`, { cause });
  }
}

/** Throws InvalidMetadata if it is not one JSON object. */
export function parseJson(document: Document): Record<string, unknown> {
  const value = readJson(document.bytes, document.url);
  if (isRecord(value)) return value;
  throw new InvalidMetadata(`Cannot read ${document.url} as a JSON object`);
}

/** The minor number of `meta.api-version`. Throws InvalidMetadata for another major (PEP 629). */
export function checkMeta(document: Record<string, unknown>): number {
  const version = isRecord(document.meta) ? document.meta["api-version"] : undefined;
  const minor = typeof version === "string" ? /^1\.(\d{1,6})$/.exec(version)?.[1] : undefined;
  if (minor !== undefined) return Number(minor);
  throw new InvalidMetadata(
    `Cannot read a simple index of api-version ${JSON.stringify(version) ?? "none"}: 1.x is known`,
  );
}
