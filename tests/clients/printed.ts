/** What a client printed, held against what a person should read. */
import assert from "node:assert/strict";
import type { RunResult } from "./workspace.ts";

export function assertDone(result: RunResult): void {
  assert.equal(result.code, 0, result.text);
}

/** Fails with these phrases among what was printed, wherever the client broke its lines. */
export function assertRefused(result: RunResult, phrases: readonly string[]): void {
  assert.notEqual(result.code, 0, result.text);
  const squeezed = result.text.replace(/\s+/g, "");
  for (const phrase of phrases) {
    assert.ok(
      squeezed.includes(phrase.replace(/\s+/g, "")),
      `Expected to read\n${phrase}\nin\n${result.text}`,
    );
  }
}
