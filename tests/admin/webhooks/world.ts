/** Webhooks told by several instances over one database, with a clock that stands still until it is moved. */
import { Dispatcher, type DispatcherOptions } from "../../../admin/webhooks/dispatcher.ts";
import { SCHEMES } from "../../../ecosystems/mod.ts";
import { type Journal, openJournal } from "../../../policy/store/journal.ts";
import { Outbox } from "../../../policy/store/outbox.ts";
import { openPolicies } from "../../../policy/store/policies.ts";
import type { Policies } from "../../../policy/store/types.ts";
import type { Webhook, WebhookEvent } from "../../../policy/types.ts";

export const START = Date.parse("2026-11-20T12:00:00Z");
export const LOOPBACK = ["127.0.0.1:*"];

export interface World {
  readonly kv: Deno.Kv;
  readonly clock: { now: number };
  readonly policies: Policies;
  readonly lines: Readonly<Record<string, unknown>>[];
  /** An instance of its own on the same database; closed at the end. */
  instance(options?: Partial<DispatcherOptions>): Dispatcher;
  /** Sets the webhooks of `acme`, and forgets the news that makes. */
  hooks(...webhooks: Webhook[]): Promise<void>;
  /** Stores news of `acme`. */
  happen(...texts: string[]): Promise<void>;
  happenAs(kind: WebhookEvent, text: string): Promise<void>;
  /** What is left in the database of all this. */
  left(): Promise<string[]>;
}

export async function inWorld(run: (world: World) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  const clock = { now: START };
  const now = () => clock.now;
  const lines: Readonly<Record<string, unknown>>[] = [];
  const log = (line: Readonly<Record<string, unknown>>) => void lines.push(line);
  const journal: Journal = openJournal({ now });
  const policies = openPolicies(kv, { schemes: SCHEMES, now, webhookAllow: LOOPBACK });
  const dispatchers: Dispatcher[] = [];
  const happenAs = async (kind: WebhookEvent, text: string) => {
    const atomic = kv.atomic();
    journal.news(atomic, { org: "acme", kind, event: kind, text });
    await atomic.commit();
  };
  const remove = async (prefix: string) => {
    for await (const { key } of kv.list({ prefix: [prefix] })) await kv.delete(key);
  };
  try {
    await run({
      kv,
      clock,
      policies,
      lines,
      instance(options = {}) {
        const over = options.kv ?? kv;
        const dispatcher = new Dispatcher({
          kv: over,
          outbox: new Outbox(over, { now, log, timeoutMs: 1_000 }),
          policies,
          allow: LOOPBACK,
          now,
          log,
          random: () => 0.5,
          holder: `instance ${dispatchers.length}`,
          wakes: false,
          ...options,
        });
        dispatchers.push(dispatcher);
        return dispatcher;
      },
      async hooks(...webhooks) {
        await policies.replace("acme", { webhooks }, { by: "test" });
        await remove("news");
      },
      async happen(...texts) {
        for (const text of texts) await happenAs("policy", text);
      },
      happenAs,
      async left() {
        const names = ["news", "delivery", "delivery_state", "lease"];
        const found = await Promise.all(
          names.map((name) => Array.fromAsync(kv.list({ prefix: [name] }))),
        );
        return found.flat().map(({ key }) => String(key[0]));
      },
    });
  } finally {
    for (const dispatcher of dispatchers) dispatcher.close();
    kv.close();
  }
}

/** Waits for something that happens by itself. */
export async function eventually(check: () => boolean, withinMs = 5_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!check()) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
