import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { type CoordClient, connect, type Session, type Watch } from '@coord/client';
import type { EtcdServer } from '@coord/testkit';
import { type Memory, settledMemory } from './memory.js';
import { printTable } from './report.js';

/** What happened while a crowd did one thing. */
export interface CrowdStep {
  readonly clients: number;
  readonly step: string;
  readonly count: number;
  readonly ms: number;
  /** How late the event loop was meanwhile, in milliseconds. */
  readonly delayP99: number;
  readonly delayMax: number;
  /** What each of them holds from then on, in KiB; undefined where it makes no sense. */
  readonly rssKiB?: number | undefined;
  readonly heapKiB?: number | undefined;
}

/** How many starts are under way at once: as a service that starts would do it. */
const AT_ONCE = 256;
const TTL_MS = 60_000;
const COMMON_KEY = 'crowd/z';

/**
 * A crowd in one process: each member with a session and a watch of a range of its own. All ranges
 * hold one common key, and a put of that is then seen by every watcher.
 */
export async function benchCrowd(
  etcd: EtcdServer,
  { crowd, clients: clientCount }: { crowd: number; clients: number },
  say: (line: string) => void,
): Promise<CrowdStep[]> {
  const clients = await Promise.all(Array.from({ length: clientCount }, () => connect(etcd.connectOptions)));
  const clientOf = (i: number): CoordClient => {
    const client = clients[i % clients.length];
    if (client === undefined) throw new RangeError('no clients');
    return client;
  };
  const steps: CrowdStep[] = [];
  const step = async (name: string, count: number, run: () => Promise<void>, keeps: boolean) => {
    const before = await settledMemory();
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const startedAt = performance.now();
    await run();
    const ms = performance.now() - startedAt;
    delay.disable();
    const held = keeps ? share(before, await settledMemory(), count) : {};
    steps.push({ clients: clientCount, step: name, count, ms, ...lateness(delay), ...held });
    say(`${clientCount} client${clientCount === 1 ? '' : 's'}: ${name} (${count}) in ${Math.round(ms)} ms`);
  };

  const sessions: Session[] = [];
  const watchers: Watcher[] = [];
  await step(
    'open sessions',
    crowd,
    () => inParallel(crowd, async (i) => void sessions.push(await clientOf(i).session({ ttlMs: TTL_MS }))),
    true,
  );
  await step(
    'attach watchers',
    crowd,
    () =>
      inParallel(crowd, async (i) => {
        const range = { start: `crowd/${String(i).padStart(6, '0')}`, end: `${COMMON_KEY}~` };
        const watcher = new Watcher(clientOf(i).watch(range));
        watchers.push(watcher);
        await watcher.ready;
      }),
    true,
  );
  await step('hold them, 5 s', crowd, () => new Promise((resolve) => setTimeout(resolve, 5_000)), false);
  for (const put of ['first', 'second']) {
    await step(
      `${put} put, seen by all`,
      crowd,
      async () => {
        const seen = watchers.map((watcher) => watcher.next());
        await clientOf(0).kv.put(COMMON_KEY, put);
        await Promise.all(seen);
      },
      false,
    );
  }
  const lost = sessions.filter(({ state }) => state !== 'alive').length;
  if (lost > 0) throw new Error(`${lost} of ${crowd} sessions were lost meanwhile`);
  await step(
    'detach watchers',
    crowd,
    () => inParallel(crowd, async (i) => await watchers[i]?.close()),
    false,
  );
  await step(
    'close sessions',
    crowd,
    () => inParallel(crowd, async (i) => await sessions[i]?.close()),
    false,
  );
  await Promise.all(clients.map((client) => client.close()));
  return steps;
}

/** A watch with its consumer. */
class Watcher {
  readonly ready: Promise<void>;
  readonly #watch: Watch;
  readonly #batches: AsyncIterator<unknown>;

  constructor(watch: Watch) {
    this.#watch = watch;
    this.#batches = watch[Symbol.asyncIterator]();
    this.ready = watch.ready;
  }

  async next(): Promise<void> {
    const { done } = await this.#batches.next();
    if (done) throw new Error('a watch ended by itself');
  }

  close(): Promise<void> {
    return this.#watch.close();
  }
}

async function inParallel(count: number, run: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, worker));
}

function lateness(delay: IntervalHistogram): { delayP99: number; delayMax: number } {
  return { delayP99: delay.percentile(99) / 1e6, delayMax: delay.max / 1e6 };
}

function share(before: Memory, after: Memory, count: number): { rssKiB: number; heapKiB: number } {
  return {
    rssKiB: (after.rss - before.rss) / 1024 / count,
    heapKiB: (after.heap - before.heap) / 1024 / count,
  };
}

export function printCrowd(steps: readonly CrowdStep[]): void {
  const kib = (value: number | undefined) => value?.toFixed(2) ?? '';
  printTable(
    [
      'clients',
      'step',
      'count',
      'ms',
      'µs each',
      'loop late p99 ms',
      'max ms',
      'RSS KiB each',
      'heap KiB each',
    ],
    steps.map(({ clients, step, count, ms, delayP99, delayMax, rssKiB, heapKiB }) => [
      ...[String(clients), step, String(count), ms.toFixed(0), ((ms * 1_000) / count).toFixed(0)],
      ...[delayP99.toFixed(1), delayMax.toFixed(1), kib(rssKiB), kib(heapKiB)],
    ]),
  );
}
