/** Entity tags and the conditions of a request (RFC 9110, section 13). */

/** What If-Match or If-None-Match lists: `*`, or tags without quotes; null: the header is absent. */
export function readTags(header: string | null): "*" | readonly string[] | null {
  if (header === null) return null;
  if (header.trim() === "*") return "*";
  // A proxy that compresses weakens tags; a revision names the same document either way.
  return header.split(",").map((tag) => tag.trim().replace(/^(?:W\/)?"?([^"]*)"?$/, "$1"));
}
