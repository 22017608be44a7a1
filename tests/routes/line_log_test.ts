import assert from "node:assert/strict";
import { lineLog } from "../../routes/line_log.ts";

Deno.test("what cannot be written stops nobody, and the next line says how much was lost", () => {
  const printed: unknown[] = [];
  let full = false;
  const log = lineLog({
    now: () => 0,
    print(line) {
      if (full) throw new Error("No space left on device (os error 28)");
      printed.push(JSON.parse(line));
    },
  });
  const at = "1970-01-01T00:00:00.000Z";
  log({ event: "installed" });
  full = true;
  log({ event: "installed" });
  log({ event: "refused" });
  full = false;
  log({ event: "refused" });
  log({ event: "installed" });
  assert.deepEqual(printed, [
    { at, event: "installed" },
    { at, event: "refused", lines_lost: 2 },
    { at, event: "installed" },
  ]);
});
