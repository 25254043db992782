import { createClient } from '@coord/client';
import { createLocks } from '@coord/lock';
import type { WorkerContext } from '../run/worker-context.js';
import { Contender } from './contender.js';
import { type LockWorkloadName, lockOf, lockSetting } from './lock-names.js';
import type { LockShapes } from './lock-operations.js';
import { tellOfSlowReads, tellOfStalls } from './stalls.js';

/** Contends for a lock, several times over, and under it reads and writes one key, again and again. */
export async function lockWorker(
  context: WorkerContext<LockShapes>,
  workload: LockWorkloadName,
): Promise<void> {
  const { run, index, process, endpoints } = context.assignment;
  const setting = lockSetting(workload);
  const client = createClient({ endpoints, requestTimeoutMs: 2_000 });
  const locks = createLocks(client, { defaultTtlMs: setting.ttlMs });
  const lock = lockOf(run, index, setting);
  using _stalls = tellOfStalls((ms) => context.recorder.observe('stall', {}, { ms }));
  const over = new AbortController();
  const reading = tellOfSlowReads(client, over.signal, (ms) => context.recorder.observe('slow', {}, { ms }));
  await Promise.all(
    Array.from({ length: setting.contendersPerProcess }, (_, i) =>
      new Contender({ context, client, locks, lock, by: `${process}/${i}`, setting }).run(),
    ),
  );
  over.abort();
  await reading;
  await locks.close();
  await client.close();
}
