/**
 * Whether a text matches a pattern in which `*` stands for any run of
 * characters. Linear in the text for each part: a pattern from outside cannot
 * make it backtrack, as a regular expression would.
 */
export function glob(pattern: string): (text: string) => boolean {
  const parts = pattern.split("*");
  const first = parts[0];
  if (parts.length === 1) return (text) => text === first;
  const last = parts[parts.length - 1];
  const middle = parts.slice(1, -1);
  return (text) => {
    if (text.length < first.length + last.length) return false;
    if (!text.startsWith(first) || !text.endsWith(last)) return false;
    const end = text.length - last.length;
    let at = first.length;
    for (const part of middle) {
      const found = text.indexOf(part, at);
      if (found < 0 || found + part.length > end) return false;
      at = found + part.length;
    }
    return true;
  };
}
