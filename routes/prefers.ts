/**
 * The media type a client likes best among those offered (RFC 9110, 12.5.1).
 * @param fallback for no header, and for wildcards alone
 */
export function preferredType<T extends string>(
  accept: string | null,
  offered: readonly T[],
  fallback: T,
): T {
  if (accept === null) return fallback;
  let best: T = fallback;
  let bestQuality = 0;
  for (const part of accept.split(",")) {
    const [type, ...parameters] = part.split(";").map((text) => text.trim());
    const match = offered.find((offer) => offer === type.toLowerCase());
    if (match === undefined) continue;
    const parameter = parameters.find((text) => /^q=/i.test(text));
    const quality = parameter === undefined ? 1 : Number(parameter.slice(2));
    if (quality > bestQuality) {
      best = match;
      bestQuality = quality;
    }
  }
  return best;
}
