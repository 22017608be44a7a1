/** What every server of the benchmark prints once it listens; whoever started it waits for the address. */
// deno-lint-ignore-file no-console -- the terminal is how processes find each other

export function serve(handler: (request: Request) => Response | Promise<Response>): void {
  Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => console.log(`listens on http://127.0.0.1:${port}/`),
  }, handler);
}

/** `name=value` arguments. Throws on one that is missing. */
export function argument(name: string, fallback?: string): string {
  const given = Deno.args.find((text) => text.startsWith(`${name}=`));
  const value = given?.slice(name.length + 1) ?? fallback;
  if (value === undefined) throw new TypeError(`Cannot start: ${name}=... is missing`);
  return value;
}

/** Path and query of an absolute address, without the cost of `new URL`. */
export function pathOf(url: string): string {
  return url.slice(url.indexOf("/", 8));
}
