/**
 * For what a registry has written and a browser may open at the proxy's own
 * origin: it is what it is said to be, runs nothing, and sees nothing of ours.
 */
export const FOREIGN_HEADERS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
};
