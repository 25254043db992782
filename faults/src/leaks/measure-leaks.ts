import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { eventually, startEtcd, startProxy } from '@coord/testkit';
import { type Left, leaksIn, leftBehind } from '../run/leaks.js';
import { EXEC_ARGV } from '../run/worker-process.js';
import type { Violation } from '../violation.js';
import type { Closed, CyclingTask, Told } from './cycling-process.js';

const PROCESS = fileURLToPath(new URL('cycling-process.ts', import.meta.url));
/** Code that is compiled again when it is used more often would look like a leak. */
const STEADY = ['--no-opt', '--no-sparkplug', '--no-flush-bytecode'];
/** What a server is given to see that nobody is there any more. */
const GONE_MS = 10_000;
/** More than what V8 goes on to add of its own (10,000), less than a manager or a coordinator that is kept (above 60,000). */
const MOST_BYTES_A_CYCLE = 30_000;
/** With fewer cycles it is V8 that grows. */
export const LEAST_TO_JUDGE = 16;

/** For what memory tells. */
export const CYCLES = 28;

/** What stays of cycles of use, of a process that has closed everything and is still there. */
export interface Leaks extends Closed {
  /** How memory grows in the end; undefined after too few cycles. */
  readonly bytesACycle: number | undefined;
  /** That the process has to etcd. */
  readonly connections: number;
  readonly left: Left;
}

/** Lets a process use everything, again and again, while its lines break, on an etcd of its own. */
export async function measureLeaks(task: Omit<CyclingTask, 'config'>): Promise<Leaks> {
  await using etcd = await startEtcd();
  await using line = await startProxy({ target: etcd.target });
  const config = { endpoints: [line.endpoint], distributedLock: { defaultTtlMs: 5_000 } };
  const child = fork(PROCESS, [JSON.stringify({ ...task, config })], {
    execArgv: [...EXEC_ARGV, '--expose-gc', ...STEADY],
  });
  const exited = new Promise<never>((_, reject) => {
    child.once('exit', (code, signal) => reject(new Error(`the process ended with ${code ?? signal}`)));
  });
  exited.catch(() => undefined);
  try {
    const closed = await Promise.race([exited, closedOf()]);
    const left = await leftBehind([etcd.endpoint], GONE_MS);
    await eventually(() => line.connections === 0, { timeoutMs: GONE_MS }).catch(() => undefined);
    return { ...closed, left, connections: line.connections, bytesACycle: growth(closed.heaps) };
  } finally {
    child.kill('SIGKILL');
    await exited.catch(() => undefined);
  }

  async function closedOf(): Promise<Closed> {
    return await new Promise((resolve) => {
      child.on('message', (told: Told) => {
        if (told.type === 'closed') return resolve(told);
        line.cut();
        child.send('broken');
      });
    });
  }
}

/** What must not be. */
export function leaksOf({ before, after, warnings, bytesACycle, connections, left }: Leaks): Violation[] {
  const extra = added(before.resources, after.resources);
  const listeners = after.listeners - before.listeners;
  const found = [
    ...(extra.length > 0 ? [`the process has ${extra.join(', ')}`] : []),
    ...(listeners > 0 ? [`${listeners} listeners more than in the beginning`] : []),
    ...warnings.map((warning) => `Node warns: ${warning}`),
    ...(connections > 0 ? [`${connections} connections to etcd`] : []),
    ...(bytesACycle !== undefined && bytesACycle > MOST_BYTES_A_CYCLE
      ? [`memory grows by ${Math.round(bytesACycle)} bytes a cycle`]
      : []),
  ];
  return [...found.map((what) => ({ invariant: 'left', what })), ...leaksIn(left)];
}

function added(before: readonly string[], after: readonly string[]): string[] {
  const known = [...before];
  return after.filter((name) => {
    const at = known.indexOf(name);
    if (at >= 0) known.splice(at, 1);
    return at < 0;
  });
}

/** From the median of the third quarter to that of the last one: before that, a process grows to what it needs. */
function growth(heaps: readonly number[]): number | undefined {
  if (heaps.length < LEAST_TO_JUDGE) return undefined;
  const quarter = Math.floor(heaps.length / 4);
  return (median(heaps.slice(-quarter)) - median(heaps.slice(-2 * quarter, -quarter))) / quarter;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle) - 1] ?? 0)) / 2;
}
