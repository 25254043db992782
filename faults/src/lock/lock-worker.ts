import { createClient } from '@coord/client';
import { createLocks } from '@coord/lock';
import type { WorkerContext } from '../run/worker-context.js';
import { PAUSED_AT } from './check-pauses.js';
import { Contender } from './contender.js';
import { Gathering } from './gathering.js';
import { groupOf, type LockWorkloadName, lockSetting, locksOfGroup } from './lock-names.js';
import type { LockShapes } from './lock-operations.js';
import { tellOfSlowReads, tellOfStalls } from './stalls.js';

/** Contends for the locks of its group, and under each reads and writes one key, again and again. */
export async function lockWorker(
  context: WorkerContext<LockShapes>,
  workload: LockWorkloadName,
): Promise<void> {
  const { run, index, process, endpoints } = context.assignment;
  const setting = lockSetting(workload);
  const client = createClient({ endpoints, requestTimeoutMs: 2_000 });
  const locks = createLocks(client, { defaultTtlMs: setting.ttlMs });
  const group = groupOf(index, setting);
  const scope = `${run}.group-${group}`;
  const contended = locksOfGroup(run, group, setting).flatMap((lock) =>
    Array.from({ length: setting.contendersPerLock }, () => lock),
  );
  const writers = new Gathering(setting.locksPerGroup, (parts) =>
    context.at(PAUSED_AT, { scope, part: parts.join(' ') }),
  );
  using _stalls = tellOfStalls((ms) => context.recorder.observe('stall', {}, { ms }));
  const over = new AbortController();
  const reading = tellOfSlowReads(client, over.signal, (ms) => context.recorder.observe('slow', {}, { ms }));
  const common = { context, client, locks, scope, writers, setting };
  await Promise.all(
    contended.map((lock, i) => new Contender({ ...common, lock, by: `${process}/${i}` }).run()),
  );
  over.abort();
  await reading;
  await locks.close();
  await client.close();
}
