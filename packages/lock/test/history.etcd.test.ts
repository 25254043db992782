import { type ChildProcess, fork } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from '@coord/client';
import { type Cluster, eventually, startCluster } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkHistory, type Findings, type Write } from './history-check.js';
import type { Assignment, Command, Mode, Report } from './history-process.js';
import { queueKeys, uniqueName } from './support.js';

const PROCESSES = 4;
const TTL_MS = 2_000;
/** COORD_HISTORY_SEED repeats the faults of a run, as far as the machine's timing lets it. */
const SEED = Number(process.env.COORD_HISTORY_SEED ?? randomInt(2 ** 31));

let cluster: Cluster;
const children = new Set<ChildProcess>();
beforeAll(async () => {
  cluster = await startCluster({ size: 3, proxies: 'client' });
});
afterAll(() => cluster.stop());
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL'); // also one that is frozen
  children.clear();
  await cluster.heal();
});

/** Numbers from 0 to 1 that a seed repeats (mulberry32). */
function randomBy(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Several processes that write a list under one lock, some of them frozen at the worst moment. */
class Run {
  readonly name = uniqueName();
  readonly listKey = `/history/${this.name}`;
  readonly writes: Write[] = [];
  /** What became of the writes of those who were frozen between their check and their write. */
  readonly frozenWrites: Write[] = [];
  readonly #frozen = new Set<ChildProcess>();
  #freezeNext = false;
  #closed = 0;
  readonly #mode: Mode;
  readonly #children: ChildProcess[];

  constructor(mode: Mode) {
    this.#mode = mode;
    this.#children = Array.from({ length: PROCESSES }, (_, i) => this.#start(`p${i}`));
  }

  get acknowledged(): number {
    return this.writes.filter(({ outcome }) => outcome === 'ok').length;
  }

  /** The next process that is about to write is frozen until others have written. */
  async freezeOne(): Promise<void> {
    const before = this.frozenWrites.length;
    this.#freezeNext = true;
    await eventually(() => this.frozenWrites.length > before, { timeoutMs: 60_000 });
  }

  /** Ends the processes, and says what came of it. */
  async finish(): Promise<Findings & { orphans: readonly string[] }> {
    for (const child of this.#children) child.send('stop' satisfies Command);
    await eventually(() => this.#closed === PROCESSES, { timeoutMs: 30_000 });
    await using client = await connect({ endpoints: cluster.endpoints, requestTimeoutMs: 10_000 });
    const list: string[] = JSON.parse((await client.kv.get(this.listKey))?.text() ?? '[]');
    return { ...checkHistory({ writes: this.writes, list }), orphans: await queueKeys(client, this.name) };
  }

  #start(id: string): ChildProcess {
    const assignment: Assignment = {
      ...{ id, endpoints: cluster.endpoints, name: this.name, listKey: this.listKey },
      ...{ mode: this.#mode, ttlMs: TTL_MS },
    };
    const child = fork(
      fileURLToPath(new URL('history-process.ts', import.meta.url)),
      [JSON.stringify(assignment)],
      { execArgv: ['--conditions=@coord/source', '--import', 'tsx'] },
    );
    children.add(child);
    child.on('message', (report: Report) => {
      if (report.type === 'closed') this.#closed += 1;
      else if (report.type === 'wrote') {
        const { write: id, token, outcome } = report;
        const write = { id, token: BigInt(token), outcome };
        this.writes.push(write);
        if (this.#frozen.delete(child)) this.frozenWrites.push(write);
      } else if (this.#freezeNext) {
        this.#freezeNext = false;
        void this.#freeze(child);
      } else child.send('go' satisfies Command);
    });
    return child;
  }

  /** It has checked that it holds the lock, and wakes up to write when the lock has long gone to others. */
  async #freeze(child: ChildProcess): Promise<void> {
    child.kill('SIGSTOP');
    this.#frozen.add(child);
    child.send('go' satisfies Command);
    const before = this.acknowledged;
    await eventually(() => this.acknowledged >= before + 2, { timeoutMs: 50_000 }).finally(() =>
      child.kill('SIGCONT'),
    );
  }
}

/** Something happens to the lines or to the leader, again and again, until it is stopped. */
function faults(random: () => number): { stop(): Promise<void>; readonly count: number } {
  const stopped = new AbortController();
  let count = 0;
  const pause = (ms: number) => sleep(ms, undefined, { signal: stopped.signal }).catch(() => undefined);
  const running = (async () => {
    while (!stopped.signal.aborted) {
      const member = cluster.members[Math.floor(random() * cluster.members.length)];
      const kind = Math.floor(random() * 5);
      if (member === undefined) return;
      if (kind === 0) member.clientLine.cut();
      else if (kind === 1) member.clientLine.blackholeOpen();
      else if (kind === 2) member.clientLine.resetConnections();
      else if (kind === 3)
        await cluster.moveLeader().catch(() => undefined); // there may be none just now
      else {
        member.clientLine.blackhole('toClient');
        await pause(800);
      }
      count += 1;
      await pause(300 + random() * 500);
      member.clientLine.heal();
      await pause(random() * 500);
    }
  })();
  return {
    get count() {
      return count;
    },
    async stop() {
      stopped.abort();
      await running;
      await cluster.heal();
    },
  };
}

describe(`several processes that write under one lock (COORD_HISTORY_SEED=${SEED})`, () => {
  it('lose updates when nothing guards their writes: the check can fail', async () => {
    const run = new Run('unguarded');
    await run.freezeOne();
    const findings = await run.finish();
    expect(findings.lost.length).toBeGreaterThan(0);
    expect(findings.orphans).toEqual([]);
  }, 120_000);

  it('lose none through lock.txn, whoever is frozen and whatever fails; tokens rise, and no key stays', async () => {
    const run = new Run('guarded');
    const failing = faults(randomBy(SEED));
    for (let pause = 0; pause < 4; pause++) await run.freezeOne();
    await eventually(() => run.acknowledged >= 60 && failing.count >= 10, { timeoutMs: 40_000 });
    await failing.stop();
    const findings = await run.finish();
    expect(findings).toEqual({
      ...{ lost: [], phantoms: [], duplicates: [], outOfOrder: [], reusedTokens: [], orphans: [] },
    });
    expect(run.frozenWrites).toHaveLength(4);
    for (const { outcome } of run.frozenWrites) expect(outcome).not.toBe('ok');
  }, 120_000);
});
