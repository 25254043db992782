import { setTimeout as sleep } from 'node:timers/promises';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CompactedError,
  type CoordClient,
  connect,
  createClient,
  type Watch,
  type WatchBatch,
} from '../src/index.js';
import { EtcdKeyValue } from '../src/key-value.js';
import { FragileLine } from './fragile-line.js';
import { type LoggedRevision, type Observed, problemsOf } from './watch-history.js';

const SEED = Number(process.env.COORD_SEED ?? Date.now() % 1_000_000_007);
const PREFIX = '/soak/';
const WRITE_MS = 12_000;
const MIN_CUTS = 50;
const RESTARTS = 2;

/** The same numbers for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** etcd's own log of what is under the prefix, read without any of our code over a line that is not cut. */
class Log {
  readonly revisions: LoggedRevision[] = [];
  readonly #client: CoordClient;
  #open: { revision: bigint; events: LoggedRevision['events'][number][] } | undefined;
  #stopped = false;

  constructor(client: CoordClient) {
    this.#client = client;
  }

  get last(): bigint {
    return this.revisions.at(-1)?.revision ?? 0n;
  }

  /** Follows it until `stop`; a restart of etcd ends a stream, the next goes on after the last revision. */
  async follow(): Promise<void> {
    while (!this.#stopped) await this.#read().catch(() => sleep(100)); // no faster than this
  }

  stop(): void {
    this.#stopped = true;
  }

  async #read(): Promise<void> {
    const stream = await this.#client.etcd3.watchClient.watch();
    await new Promise<void>((resolve) => {
      stream.on('error', () => resolve());
      stream.on('end', () => resolve());
      const timer = setInterval(() => {
        if (!this.#stopped) return;
        stream.cancel();
        resolve();
      }, 50);
      stream.on('end', () => clearInterval(timer));
      stream.on('error', () => clearInterval(timer));
      stream.on('data', ({ events }) => {
        for (const { type, kv } of events) {
          const revision = BigInt(kv.mod_revision);
          if (this.last >= revision) throw new Error(`the log repeats ${revision}`);
          if (this.#open?.revision !== revision) {
            this.#close();
            this.#open = { revision, events: [] };
          }
          const what = type === 'Delete' ? 'delete' : 'put';
          this.#open.events.push({ type: what, key: kv.key.toString(), value: kv.value.toString() });
        }
        this.#close(); // without fragments a response ends with a whole revision
      });
      const start_revision = (this.last + 1n).toString();
      const range = { key: Buffer.from(PREFIX), range_end: Buffer.from('/soak0') };
      stream.write({ create_request: { ...range, start_revision } });
    });
  }

  #close(): void {
    if (this.#open) this.revisions.push(this.#open);
    this.#open = undefined;
  }
}

describe('the check of a history', () => {
  const put = (key: string, revision: number) => ({ type: 'put' as const, key, value: `${key}${revision}` });
  const log: LoggedRevision[] = Array.from({ length: 10 }, (_, i) => {
    const events = [put('/a', i + 1), ...(i % 2 === 0 ? [put('/b', i + 1)] : []), put('/other', i + 1)];
    return { revision: BigInt(i + 1), events };
  });
  const covers = (key: string) => key !== '/other';
  const batch = (revision: bigint, resync = false, events = eventsOf(revision)): WatchBatch => ({
    revision,
    resync,
    events: events.map(({ type, key, value }) => ({ type, key, kv: kvOf(key, value, revision) })),
  });
  const eventsOf = (revision: bigint) =>
    (log[Number(revision) - 1]?.events ?? []).filter(({ key }) => covers(key));
  const kvOf = (key: string, value: string, revision: bigint) =>
    new EtcdKeyValue({
      key: Buffer.from(key),
      value: Buffer.from(value),
      version: 1n,
      create_revision: 1n,
      mod_revision: revision,
      lease: 0n,
    });
  const problems = (batches: readonly WatchBatch[], resync: 'difference' | 'snapshot' = 'difference') =>
    problemsOf(log, { name: 'w', covers, from: 3n, to: 10n, resync, batches });
  const right = [3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n].map((revision) => batch(revision));
  const resynced = (state: string[]) => [
    ...right.slice(0, 2),
    batch(
      8n,
      true,
      state.map((value) => ({ type: 'put', key: value.slice(0, 2), value })),
    ),
    ...right.slice(6),
  ];

  it('finds nothing in a right one, also with a resync', () => {
    expect(problems(right)).toEqual([]);
    expect(problems(resynced(['/a8', '/b7']))).toEqual([]);
    expect(problems(resynced(['/a8', '/b7']), 'snapshot')).toEqual([]);
  });

  it.each<[string, readonly WatchBatch[]]>([
    ['a revision twice', [...right.slice(0, 3), ...right.slice(2)]],
    ['resumed at the last revision, not after it', [...right.slice(0, 4), batch(6n), ...right.slice(4)]],
    ['resumed one too far', [...right.slice(0, 4), ...right.slice(5)]],
    ['a revision missing at the start', right.slice(1)],
    ['a revision missing at the end', right.slice(0, -1)],
    ['two in the wrong order', [right[1], right[0], ...right.slice(2)].filter((it) => it !== undefined)],
    [
      'a revision in two halves',
      [
        ...right.slice(0, 2),
        batch(5n, false, [put('/a', 5)]),
        batch(5n, false, [put('/b', 5)]),
        ...right.slice(3),
      ],
    ],
    ['half a revision', [...right.slice(0, 2), batch(5n, false, [put('/a', 5)]), ...right.slice(3)]],
    [
      'two revisions in one',
      [...right.slice(0, 2), batch(6n, false, [...eventsOf(5n), ...eventsOf(6n)]), ...right.slice(4)],
    ],
    [
      'a value that was never there',
      [...right.slice(0, 2), batch(5n, false, [put('/a', 5), put('/b', 6)]), ...right.slice(3)],
    ],
    ['a key of another range', [batch(3n, false, [...eventsOf(3n), put('/other', 3)]), ...right.slice(1)]],
    ['something from before its start', [batch(2n), ...right]],
    ['a resync to an old value', resynced(['/a7', '/b7'])],
    ['a resync without a key', resynced(['/a8'])],
    [
      'something again after a resync',
      [...resynced(['/a8', '/b7']).slice(0, 3), batch(8n), ...right.slice(6)],
    ],
  ])('finds %s', (_what, batches) => {
    expect(problems(batches)).not.toEqual([]);
  });
});

describe('a soak of cuts, restarts and compactions', () => {
  let etcd: EtcdServer;
  let direct: CoordClient;

  beforeAll(async () => {
    etcd = await startEtcd();
    direct = await connect(etcd.connectOptions);
  });
  afterAll(async () => {
    await direct?.close({ timeoutMs: 500 });
    await etcd?.stop();
  });

  it('24 watches deliver exactly what the log says', async () => {
    console.log(`watch soak: COORD_SEED=${SEED}`);
    const random = randomOf(SEED);
    const pick = (count: number) => Math.floor(random() * count);
    // Some connections break within the first answer, some carry more than a megabyte.
    await using line = await FragileLine.start(etcd.target, () => Math.floor(100 * 10 ** (random() * 4.2)));
    const clients = Array.from({ length: 3 }, () => createClient({ endpoints: [line.endpoint] }));
    const log = new Log(direct);
    const following = log.follow();

    let writing = true;
    const write = async () => {
      const key = () => `${PREFIX}${pick(4)}/${pick(12)}`;
      const value = () => 'v'.repeat(random() < 0.02 ? 20_000 : pick(200)) + pick(1e9);
      while (writing) {
        const kind = random();
        const put = () => ({ put: { key: key(), value: value() } });
        const keys = new Map(Array.from({ length: 2 + pick(5) }, () => [key(), value()]));
        const step =
          kind < 0.6
            ? direct.kv.txn({ success: [put()] }, { timeoutMs: 3_000 })
            : kind < 0.85
              ? direct.kv.txn(
                  {
                    success: [...keys].map(([k, v]) =>
                      v.length % 3 ? { put: { key: k, value: v } } : { delete: k },
                    ),
                  },
                  { timeoutMs: 3_000 },
                )
              : kind < 0.97
                ? direct.kv.delete(key(), { timeoutMs: 3_000 })
                : direct.kv.delete({ prefix: `${PREFIX}${pick(4)}/` }, { timeoutMs: 3_000 });
        await step.catch(() => sleep(100)); // etcd is being restarted: the log says what became of it
        await sleep(pick(8)); // the pace of the writer
      }
    };
    await direct.kv.put(`${PREFIX}0/0`, 'first');
    const writer = write();
    await eventually(() => log.revisions.length > 50);

    interface Reader {
      readonly watch: Watch;
      readonly observed: { -readonly [K in keyof Observed]: Observed[K] } & { batches: WatchBatch[] };
      readonly fromNow: boolean;
      error: unknown;
      done: Promise<void>;
    }
    const readers = Array.from({ length: 24 }, (_, i): Reader => {
      const client = clients[i % clients.length] ?? direct;
      const prefix = i % 3 === 0 ? PREFIX : `${PREFIX}${i % 4}/`;
      const fromNow = i % 2 === 0;
      const from = 1n + BigInt(pick(Number(log.last)));
      const resync = i % 6 === 5 ? 'error' : i % 3 === 1 ? 'snapshot' : 'difference';
      const maxBuffered = [1, 3, 50, 1_024][i % 4] ?? 1;
      const watch = client.watch(
        { prefix },
        { ...(fromNow ? {} : { startRevision: from }), resync, maxBuffered },
      );
      const reader: Reader = {
        watch,
        fromNow,
        observed: {
          name: `watch ${i} (${prefix}, ${fromNow ? 'now' : from}, ${resync}, ${maxBuffered})`,
          covers: (key) => key.startsWith(prefix),
          from,
          to: 0n,
          resync: resync === 'snapshot' ? 'snapshot' : 'difference',
          batches: [],
        },
        error: undefined,
        done: Promise.resolve(),
      };
      const slowness = i % 4 === 3 ? 0 : pick(12);
      reader.done = (async () => {
        for await (const batch of watch) {
          reader.observed.batches.push(batch);
          if (batch.events.some(({ key }) => key.endsWith('/end'))) break;
          if (slowness > 0 && writing) await sleep(slowness); // some readers fall behind
        }
      })().catch((error: unknown) => {
        reader.error = error;
      });
      return reader;
    });
    const marks: (bigint | undefined)[] = readers.map(() => undefined);
    const marking = readers.map(async ({ watch }, i) => {
      await watch.ready.catch(() => undefined);
      // Whatever is written from now on, it has to deliver.
      marks[i] = (await eventually(() => direct.kv.range(PREFIX), { timeoutMs: 15_000 })).revision + 1n;
    });

    let restarts = 0;
    let compactions = 0;
    const until = performance.now() + WRITE_MS;
    while (performance.now() < until || line.cuts < MIN_CUTS) {
      await sleep(400); // the pace of the faults
      if (random() < 0.15 && marks.every((mark) => mark !== undefined)) {
        const revision = log.last - BigInt(pick(30));
        await direct.etcd3.kv.compact({ revision: revision.toString() }).then(
          () => compactions++,
          () => undefined, // being restarted, or compacted to later already
        );
      }
      if (
        restarts < RESTARTS &&
        performance.now() > until - (WRITE_MS * (RESTARTS - restarts)) / (RESTARTS + 1)
      ) {
        restarts++;
        await etcd.kill();
        await etcd.restart();
      }
    }
    writing = false;
    await writer;
    await Promise.all(marking);
    line.budget = () => Number.POSITIVE_INFINITY;
    const { revision } = await eventually(
      () =>
        direct.kv.txn({
          success: [0, 1, 2, 3].map((i) => ({ put: { key: `${PREFIX}${i}/end`, value: 'end' } })),
        }),
      { timeoutMs: 20_000 },
    );
    const unfinished = new Set(readers);
    for (const reader of readers) void reader.done.then(() => unfinished.delete(reader));
    await eventually(
      () => {
        const where = [...unfinished].map(({ observed }) => [
          observed.name,
          observed.batches.at(-1)?.revision,
        ]);
        expect({ end: revision, where }).toEqual({ end: revision, where: [] });
      },
      { timeoutMs: 40_000 },
    );
    await eventually(() => log.last >= revision);
    log.stop();
    await following;

    const problems = readers.flatMap((reader, i) => {
      const { observed, error, fromNow } = reader;
      const refused = error instanceof CompactedError; // the end of a watch that asked for it
      if (error !== undefined && !refused) return [`${observed.name}: ${String(error)}`];
      const first = observed.batches[0]?.revision;
      const mark = marks[i] ?? revision;
      // From "now": what was written while it was being attached may be there, but then without a gap.
      if (fromNow) observed.from = first !== undefined && first < mark ? first : mark;
      observed.to = refused ? (observed.batches.at(-1)?.revision ?? 0n) : revision;
      return problemsOf(log.revisions, observed);
    });
    const batches = readers.reduce((sum, { observed }) => sum + observed.batches.length, 0);
    const resyncs = readers.reduce(
      (sum, { observed }) => sum + observed.batches.filter(({ resync }) => resync).length,
      0,
    );
    console.log('watch soak:', {
      revisions: log.revisions.length,
      batches,
      cuts: line.cuts,
      restarts,
      compactions,
      resyncs,
      refused: readers.filter(({ error }) => error !== undefined).length,
    });
    expect(problems.slice(0, 20)).toEqual([]);
    expect(line.cuts).toBeGreaterThanOrEqual(MIN_CUTS);
    expect(restarts).toBe(RESTARTS);
    for (const client of clients) await client.close({ timeoutMs: 500 });
  }, 120_000);
});
