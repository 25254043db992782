import { setTimeout as sleep } from 'node:timers/promises';
import { type CoordClient, CoordError, type Op } from '@coord/client';
import type { WorkerContext } from '../run/worker-context.js';
import { GROUPS, watchPrefix } from './watch-names.js';
import { LAST, type WatchShapes } from './watch-operations.js';

const KEYS = 12;
/** The pace: some watchers are slower. */
const PAUSE_MS = 4;
const RETRY_MS = 100;

/** Puts and deletes, one key or several at once; and at the end one last key in each group. */
export async function writeOn(context: WorkerContext<WatchShapes>, { kv }: CoordClient): Promise<void> {
  const { assignment, recorder, random, stopped } = context;
  const below = (count: number) => Math.floor(random() * count);
  const someKey = () => `${watchPrefix(assignment.run, below(GROUPS))}${below(KEYS)}`;
  const change = (key: string): Op => {
    if (random() < 0.2) return { delete: key };
    const length = random() < 0.02 ? 20_000 : below(60);
    return { put: { key, value: `${'v'.repeat(length)}${below(1e9)}` } };
  };
  while (!stopped.aborted) {
    const keys = new Set(Array.from({ length: random() < 0.6 ? 1 : 2 + below(5) }, someKey));
    const success = random() < 0.02 ? [emptied(assignment.run, below(GROUPS))] : [...keys].map(change);
    await recorder.perform('write', {}, async () => ({
      revision: Number((await kv.txn({ success })).revision),
    }));
    await sleep(PAUSE_MS);
  }
  const groups = Array.from({ length: GROUPS }, (_, group) => watchPrefix(assignment.run, group));
  const success = groups.map((prefix) => ({ put: { key: `${prefix}${LAST}`, value: '' } }));
  for (let done = false; !done; ) {
    done = await kv.txn({ success }).then(
      () => true,
      async (error: unknown) => {
        if (!CoordError.is(error)) throw error;
        await sleep(RETRY_MS);
        return false;
      },
    );
  }
}

function emptied(run: string, group: number): Op {
  return { delete: { prefix: watchPrefix(run, group) } };
}
