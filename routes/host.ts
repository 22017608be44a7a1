/** Nothing but a host and its port: it is copied into addresses that others read. */
const HOST = /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?$/;

const NAME = "(?:(?!xn--)[a-z0-9_-]+\\.)*(?!xn--)[a-z][a-z0-9_-]*";
const BYTE = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const PORT = "(?:\\d{1,4}|[1-5]\\d{4})";
/** What the URL parser is known to take: asking it takes microseconds of each request. */
const USUAL = new RegExp(`^(?:${NAME}|${BYTE}(?:\\.${BYTE}){3})(?::${PORT})?$`, "i");

/** Whether a request's host, with its port if it has one, can be that of an address. */
export function isHost(text: string): boolean {
  return HOST.test(text) && (USUAL.test(text) || URL.canParse(`http://${text}/`));
}
