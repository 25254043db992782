import { type CoordClient, connect } from '@coord/client';
import { createLocks, type DistributedLock } from '@coord/lock';
import type { EtcdServer } from '@coord/testkit';
import { Etcd3 } from 'etcd3';
import { atFixedRate } from './fixed-rate.js';
import { goRows } from './go-peer.js';
import type { LockBenchOptions } from './lock-options.js';
import { type Figures, measure, medianOf } from './measure.js';
import { CALLERS } from './options.js';
import { rawKv } from './raw-kv.js';
import { REDLOCK, type RedisPeer } from './redis-peer.js';
import type { Row } from './report.js';

export const FREE = 'free names';
export const CLIENTS = 'one name, a client each';
export const TASKS = 'one name, tasks of one client';
export const AT_RATE = 'free names at 5,000/s';
/** One call after another: as fast as a lock that needs one write to change hands can be over grpc-js. */
export const CEILING = 'ceiling: raw grpc-js Txns';
const CONTENDERS = 16;

/** What the Go peer calls these workloads. */
const GO_NAMES: Readonly<Record<string, string>> = {
  'lock-uncontended-sharedsession': FREE,
  'lock-contended2': CLIENTS,
  'lock-contended16': CLIENTS,
};

export interface LockBench {
  readonly rows: Row[];
  /** Raft writes for each acquire and release of ours, by the store's revision. */
  readonly writes: ReadonlyMap<string, number>;
}

/** A workload of one peer. */
interface Turn {
  readonly who: string;
  readonly workload: string;
  readonly callers: number;
  run(seconds: number): Promise<Figures>;
}

/** Lock cycles: acquire and release. The peers take turns, round by round and in changing order. */
export async function benchLocks(
  etcd: EtcdServer,
  redis: RedisPeer | undefined,
  options: LockBenchOptions,
  say: (line: string) => void,
): Promise<LockBench> {
  // Patient: where a machine cannot keep up with a fixed rate, that shows as latency.
  await using client = await connect({ ...etcd.connectOptions, requestTimeoutMs: 60_000 });
  await using others = await contenders(etcd, CONTENDERS);
  const etcd3 = new Etcd3({ hosts: etcd.endpoint });
  using raw = rawKv(etcd.target);
  const locks = createLocks(client);

  const closedLoop =
    (callers: number, operation: (caller: number, round: number) => Promise<unknown>) => (seconds: number) =>
      measure({ callers, seconds, operation });
  const turns: Turn[] = [];
  const add = (who: string, workload: string, callers: number, run: Turn['run']) => {
    turns.push({ who, workload, callers, run });
  };
  if (options.parts.has('free')) {
    for (const callers of CALLERS) {
      const ours = (id: number) => cycle(locks, `free-${id}`);
      add('coord', FREE, callers, closedLoop(callers, ours));
      // It grants and revokes a lease for each lock.
      const theirs = (id: number) =>
        etcd3
          .lock(`bench3-${id}`)
          .ttl(30)
          .do(() => undefined);
      add('etcd3', FREE, callers, closedLoop(callers, theirs));
      if (redis)
        add(
          REDLOCK,
          FREE,
          callers,
          closedLoop(callers, (id) => redis.cycle(`free-${id}`)),
        );
    }
  }
  if (options.parts.has('rate')) {
    add('coord', AT_RATE, 1, (seconds) =>
      atFixedRate({ perSecond: 5_000, seconds }, async (i) => {
        const lock = await locks.acquire(`rate-${i}`);
        return () => lock.release();
      }),
    );
  }
  if (options.parts.has('clients')) {
    for (const callers of [2, CONTENDERS]) {
      const ours = (id: number) => cycle(others.locks[id] ?? locks, `contended-${callers}`);
      add('coord', CLIENTS, callers, closedLoop(callers, ours));
    }
    if (redis)
      add(
        REDLOCK,
        CLIENTS,
        CONTENDERS,
        closedLoop(CONTENDERS, () => redis.cycle('contended')),
      );
  }
  if (options.parts.has('tasks')) {
    add(
      'coord',
      TASKS,
      CONTENDERS,
      closedLoop(CONTENDERS, () => cycle(locks, 'tasks')),
    );
    const ceiling = (_: number, i: number) => raw.replace(`raw/${i - 1}`, `raw/${i}`, 'raw/');
    add(CEILING, TASKS, CONTENDERS, closedLoop(1, ceiling));
  }

  const figures = new Map<string, Figures[]>();
  const note = ({ who, workload, callers }: Omit<Turn, 'run'>, round: Figures): void => {
    const name = JSON.stringify([workload, callers, who]);
    figures.set(name, [...(figures.get(name) ?? []), round]);
  };
  for (let round = 0; round < options.rounds; round++) {
    const start = round % turns.length;
    for (const turn of [...turns.slice(start), ...turns.slice(0, start)]) {
      const figure = await turn.run(options.seconds);
      note(turn, figure);
      const { workload, callers, who } = turn;
      say(
        `round ${round + 1}/${options.rounds}: ${workload} ×${callers} ${who}: ${Math.round(figure.perSecond)}/s`,
      );
    }
    if (options.go !== undefined) {
      for (const row of await goRows(options.go, etcd.target, 'lock')) {
        const workload = GO_NAMES[row.workload];
        if (workload !== undefined) note({ ...row, workload }, row);
      }
      say(`round ${round + 1}/${options.rounds}: go clientv3`);
    }
  }
  const writes = await countWrites(client, locks, others.locks);
  etcd3.close();
  await locks.close();
  const rows = [...figures].map(([name, rounds]) => {
    const [workload, callers, who]: [string, number, string] = JSON.parse(name);
    return { workload, callers, who, ...medianOf(rounds) };
  });
  return { rows, writes };
}

async function cycle(locks: DistributedLock, name: string): Promise<void> {
  const lock = await locks.acquire(name);
  await lock.release();
}

interface Contenders extends AsyncDisposable {
  readonly locks: readonly DistributedLock[];
}

/** Each on a client of its own, as separate processes would be. */
async function contenders(etcd: EtcdServer, count: number): Promise<Contenders> {
  const clients = await Promise.all(Array.from({ length: count }, () => connect(etcd.connectOptions)));
  return {
    locks: clients.map((client) => createLocks(client)),
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()));
    },
  };
}

/** Each write is one revision of the store, one after another: calls that share a request would share it. */
async function countWrites(
  client: CoordClient,
  locks: DistributedLock,
  others: readonly DistributedLock[],
): Promise<Map<string, number>> {
  const CYCLES = 200;
  const revision = async () => (await client.kv.range('nothing')).revision;
  const count = async (run: () => Promise<unknown>): Promise<number> => {
    await run(); // sessions are there from now on
    const before = await revision();
    await run();
    return Number((await revision()) - before) / CYCLES;
  };
  const together = (each: (id: number) => DistributedLock, name: string) => () =>
    Promise.all(
      Array.from({ length: CONTENDERS }, async (_, id) => {
        for (let i = id; i < CYCLES; i += CONTENDERS) await cycle(each(id), name);
      }),
    );
  const alone = async () => {
    for (let i = 0; i < CYCLES; i++) await cycle(locks, `count-${i}`);
  };
  return new Map([
    [FREE, await count(alone)],
    [CLIENTS, await count(together((id) => others[id] ?? locks, 'count-clients'))],
    [TASKS, await count(together(() => locks, 'count-tasks'))],
  ]);
}
