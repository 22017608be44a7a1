/** What is kept of documents that need no parser of their own. */
import type { Document, Reading } from "./ecosystem.ts";

/** Held inflated, so not in the form it came in too. */
export const AS_IT_CAME: Reading<Document> = {
  id: "",
  read: ({ bytes, type, url }) => ({ bytes, type, url }),
  weigh: ({ bytes }) => bytes.length,
};

/**
 * The document itself, which is smaller than what is read of it, once it is known to be one.
 * @param check throws InvalidMetadata
 */
export function checked(check: (document: Document) => void): Reading<Document> {
  return {
    ...AS_IT_CAME,
    id: "checked",
    read(document) {
      check(document);
      return AS_IT_CAME.read(document);
    },
  };
}
