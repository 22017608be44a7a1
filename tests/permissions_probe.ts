/** Starts the proxy and then tries what code that got into it would: see permissions_test.ts. */
await import("../main.ts");

const file = new URL("../deno.json", import.meta.url);
const database = Deno.env.get("KV_URL") ?? "";
const attempts: Record<string, () => unknown> = {
  "read a file": () => Deno.readTextFileSync(file),
  "read the database": () => Deno.readFileSync(database),
  "write a file": () => Deno.writeTextFileSync(new URL("../never_written", import.meta.url), "x"),
  "overwrite the database": () => Deno.writeTextFileSync(database, "x"),
  "list a folder": () => [...Deno.readDirSync(new URL("../", import.meta.url))],
  "run a program": () => new Deno.Command("true").outputSync(),
  "load a library": () => Deno.dlopen("libc.so.6", {}),
  "read a variable that is none of the proxy's": () => Deno.env.get("HOME"),
  "read all variables": () => Deno.env.toObject(),
};
const outcomes = Object.entries(attempts).map(([what, attempt]) => {
  try {
    attempt();
    return [what, "done"];
  } catch (error) {
    return [what, error instanceof Error ? error.name : "thrown"];
  }
});
// deno-lint-ignore no-console -- the test reads it
console.log(JSON.stringify(Object.fromEntries(outcomes)));
Deno.exit(0);
