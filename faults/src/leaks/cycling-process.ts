/** A process of its own that goes through cycles of use, and says what stays of them. */
import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type CoordConfigInput, createClient, createCoordinator } from '@coord/core';
import { eventually } from '@coord/testkit';
import { type Cycle, freshCycle, useEverything } from './cycle.js';

/** A coordinator for each cycle, one for all, or none: for mistakes alone. */
export type CycleKind = 'fresh' | 'same' | 'none';

/** What the process is to do. */
export interface CyclingTask {
  readonly kind: CycleKind;
  readonly config: CoordConfigInput;
  readonly cycles: number;
  /** To make every mistake in each cycle, and see that it is found. */
  readonly careless?: boolean;
}

/** What of the process is about. */
export interface Traces {
  /** What keeps it, as Node names it. */
  readonly resources: readonly string[];
  /** On the signal that is given to every call, and on the process. */
  readonly listeners: number;
}

/** What the process says: that its lines are to be broken, or in the end what there was. */
export type Told = { readonly type: 'break' } | ({ readonly type: 'closed' } & Closed);

export interface Closed {
  readonly before: Traces;
  readonly after: Traces;
  /** Bytes in use after each cycle. */
  readonly heaps: readonly number[];
  /** Of Node, such as of too many listeners. */
  readonly warnings: readonly string[];
}

const CLOSED_MS = 5_000;

const task: CyclingTask = JSON.parse(process.argv[2] ?? '');
const { signal } = new AbortController();
const cycle: Cycle = { config: task.config, signal, breakLines };
const warnings: string[] = [];
const heaps: number[] = [];
const kept: unknown[] = [];
let answered: (() => void) | undefined;
process.on('warning', ({ message }) => warnings.push(message));
process.on('message', () => answered?.());

const before = traces();
if (task.kind === 'none') await repeat(async () => undefined);
else if (task.kind === 'fresh') await repeat(() => freshCycle(cycle));
else {
  await using coordinator = await createCoordinator(task.config);
  await repeat(() => useEverything(coordinator, cycle));
}
const gone = () => JSON.stringify(traces()) === JSON.stringify(before);
await eventually(gone, { timeoutMs: CLOSED_MS }).catch(() => undefined);
await ask({ type: 'closed', before, after: traces(), heaps, warnings });
process.exit();

async function repeat(work: () => Promise<void>): Promise<void> {
  for (let done = 0; done < task.cycles; done++) {
    await work();
    if (task.careless) await leaveThings();
    heaps.push(await usedBytes());
  }
}

async function leaveThings(): Promise<void> {
  kept.push('x'.repeat(10_000).split(''));
  setInterval(() => undefined, 1_000);
  signal.addEventListener('abort', () => undefined);
  if (heaps.length > 0) return;
  const client = createClient(task.config);
  const session = await client.session();
  await client.kv.put('/leaks/left', '', { session });
  await client.watch('/leaks/left').ready;
}

function traces(): Traces {
  const onProcess = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  return {
    resources: process.getActiveResourcesInfo().sort(),
    listeners: onProcess + getEventListeners(signal, 'abort').length,
  };
}

/** What stays: some of it is freed over several turns of the event loop. */
async function usedBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let turn = 0; turn < 3; turn++) {
    await nextTurn();
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    least = Math.min(least, heapUsed + external);
  }
  return least;
}

async function breakLines(): Promise<void> {
  await ask({ type: 'break' });
}

async function ask(told: Told): Promise<void> {
  await new Promise<void>((resolve) => {
    answered = resolve;
    process.send?.(told);
  });
}
