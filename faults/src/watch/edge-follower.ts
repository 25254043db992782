import { setTimeout as sleep } from 'node:timers/promises';
import { CompactedError, type CoordClient } from '@coord/client';
import { watchShortly } from './short-watch.js';
import { moment, type Surroundings } from './surroundings.js';
import { watchPrefix } from './watch-names.js';

const BATCHES = 10;
const PAUSE_MS = 500;

/** Watches from the revision after a compaction, which etcd has whole, and from the one of it, which it need not have. */
export async function watchAtTheEdge(surroundings: Surroundings, client: CoordClient): Promise<void> {
  const { stopped, assignment } = surroundings.context;
  const prefix = watchPrefix(assignment.run);
  for (let round = 0; !stopped.aborted; round++) {
    const compacted = await compactRevision(client, prefix, stopped);
    if (compacted !== undefined) {
      await moment(surroundings, 'at the compaction revision');
      const name = `${assignment.process}-edge-${round}`;
      const some = () => {
        let left = BATCHES;
        return () => --left === 0;
      };
      await Promise.all([
        watchShortly(
          surroundings,
          client,
          { watch: `${name}-after`, prefix, from: compacted + 1n, resync: 'error' },
          some(),
        ),
        watchShortly(
          surroundings,
          client,
          { watch: `${name}-at`, prefix, from: compacted, resync: 'snapshot' },
          some(),
        ),
      ]);
    }
    await sleep(PAUSE_MS);
  }
}

/** What the oldest revision is that etcd still has; undefined: the very first. */
async function compactRevision(
  client: CoordClient,
  prefix: string,
  signal: AbortSignal,
): Promise<bigint | undefined> {
  await using watch = client.watch({ prefix }, { startRevision: 1n, resync: 'error' });
  const close = () => void watch.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    for await (const _ of watch) break;
    return undefined;
  } catch (error) {
    if (error instanceof CompactedError) return error.compactRevision;
    throw error;
  } finally {
    signal.removeEventListener('abort', close);
  }
}
