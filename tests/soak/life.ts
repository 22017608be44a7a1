/** The proxy as a process that is killed and started again over one database. */
import { start, type Started } from "../process.ts";

export const ADMIN_TOKEN = "soak-0123456789abcdef";

export interface Sample {
  readonly rssMB: number;
  readonly descriptors: number;
}

/** From a start to an end. */
export interface LifeRecord {
  /** Some seconds after the start, when it is warm, and before the end. */
  first: Sample | null;
  last: Sample | null;
  most: number;
}

export interface Life {
  /** Of the process that runs now; without trailing slash. */
  readonly url: string;
  readonly lives: readonly LifeRecord[];
  /** Takes a sample of what the process holds. */
  sample(): void;
  /** `kill -9`, and the next life. */
  restart(): Promise<void>;
  /** SIGTERM; resolves to the exit code. */
  end(): Promise<number>;
}

/** What is held in the first seconds is the start's. */
const WARM_MS = 8_000;

export async function openLife(
  KV_URL: string,
  upstreams: Readonly<Record<string, string>>,
): Promise<Life> {
  const lives: LifeRecord[] = [];
  const begin = async () => {
    lives.push({ first: null, last: null, most: 0 });
    return {
      proxy: await start({ KV_URL, ADMIN_TOKEN, ...upstreams }),
      since: performance.now(),
    };
  };
  let current: { proxy: Started; since: number } = await begin();
  return {
    get url() {
      return current.proxy.url;
    },
    lives,
    sample() {
      const found = sampleOf(current.proxy.process.pid);
      const life = lives[lives.length - 1];
      if (found === null || performance.now() - current.since < WARM_MS) return;
      life.first ??= found;
      life.last = found;
      life.most = Math.max(life.most, found.rssMB);
    },
    async restart() {
      await current.proxy[Symbol.asyncDispose](); // by SIGKILL
      current = await begin();
    },
    async end() {
      const { proxy } = current;
      proxy.process.kill("SIGTERM");
      const { code } = await proxy.process.status;
      await proxy[Symbol.asyncDispose]();
      return code;
    },
  };
}

/** null: not on this machine, or it has just ended. */
function sampleOf(pid: number): Sample | null {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const kilobytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]);
    if (Number.isNaN(kilobytes)) return null;
    const descriptors = [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
    return { rssMB: kilobytes / 1024, descriptors };
  } catch {
    return null;
  }
}
