import type { Ecosystem } from "../ecosystem.ts";
import { INDEX_ACCEPT } from "./accept.ts";
import { DEFAULT_FILES, DEFAULT_INDEX, simpleIndex, upstreamAddresses } from "./addresses.ts";
import { holdBack } from "./hold_back.ts";
import { match } from "./match.ts";
import { refuse } from "./refuse.ts";
import { readIndex } from "./simple_index.ts";
import { pypiVersions } from "./versions.ts";

/** PyPI and other simple repositories (https://packaging.python.org/specifications/simple-repository-api/). */
export const pypi: Ecosystem = {
  id: "pypi",
  title: "PyPI",
  versions: pypiVersions,
  osv: {
    ecosystem: "PyPI",
    name: (spelled) => pypiVersions.normalizeName(spelled) ?? spelled,
  },
  verifyingClients: /^pip\//,
  holdBack,
  mounts: ["pypi", "files"],
  defaultUpstream: () => DEFAULT_INDEX,
  upstreamBase: simpleIndex,
  defaultFileOrigins: [DEFAULT_FILES],
  match,
  indexAddress: (name) => ({
    url: upstreamAddresses.project(pypiVersions.normalizeName(name) ?? encodeURIComponent(name)),
    accept: INDEX_ACCEPT,
  }),
  parse(document, name, { source }) {
    return readIndex(document, pypiVersions.normalizeName(name) ?? name, source);
  },
  refuse,
};
