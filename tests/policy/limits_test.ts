import assert from "node:assert/strict";
import { SCHEMES } from "../../ecosystems/mod.ts";
import { compilePolicy } from "../../policy/engine.ts";
import { DEFAULT_LIMITS, parseRate } from "../../policy/limits.ts";
import { parsePolicy } from "../../policy/schema.ts";
import { PolicyInvalid } from "../../policy/store/errors.ts";

Deno.test("a rate is a number of requests in a second, minute or hour, or off", () => {
  assert.deepEqual(parseRate("6000/m"), { count: 6000, ms: 60_000 });
  assert.deepEqual(parseRate("1/s"), { count: 1, ms: 1_000 });
  assert.deepEqual(parseRate("100000000/h"), { count: 100_000_000, ms: 3_600_000 });
  assert.equal(parseRate("off"), null);
  for (
    const text of ["", "0/m", "6000", "6000/d", "-1/m", "1.5/s", "100000001/h", " 1/m", "1/mm"]
  ) {
    assert.throws(() => parseRate(text), SyntaxError, text);
  }
});

Deno.test("a policy without limits has the generous ones, and each can be set by itself", () => {
  const options = { org: "acme", revision: "1", schemes: SCHEMES };
  assert.deepEqual(compilePolicy({}, options).limits, DEFAULT_LIMITS);
  assert.deepEqual(
    compilePolicy({ limits: { per_user: "5/s", per_token: "off" } }, options).limits,
    {
      token: null,
      user: { count: 5, ms: 1_000 },
      address: DEFAULT_LIMITS.address,
    },
  );
});

Deno.test("a rate that cannot be read is a fault with its place", () => {
  assert.throws(() => parsePolicy({ limits: { per_user: "many" } }, SCHEMES), (error) => {
    assert.ok(error instanceof PolicyInvalid);
    assert.deepEqual(error.faults.map(({ pointer }) => pointer), ["/limits/per_user"]);
    assert.match(error.faults[0].detail, /"6000\/m"/);
    return true;
  });
});
