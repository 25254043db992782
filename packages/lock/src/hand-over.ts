import type { Left } from './background.js';
import type { Contender, Standing } from './contender.js';
import type { Heir } from './heir.js';
import type { LockSupport } from './lock-support.js';

/**
 * Gives the lock up and takes the next one of this client along: one transaction removes the one's
 * key and makes the other's, at the end of the queue. So it costs one write, and nobody is passed over.
 * @param isMoot whether no lease is alive any more that could keep the key
 * @returns undefined when there is nobody to take along, and nothing was done
 */
export function handOver(
  { background, queueWatches }: LockSupport,
  contender: Contender,
  heir: Heir | undefined,
  isMoot: () => boolean,
): Promise<Left> | undefined {
  const next = heir?.contender;
  if (next === undefined) return undefined;
  let standing: Standing | undefined;
  const following = queueWatches.followIfRunning(next);
  const left = background.remove({
    name: contender.name,
    leave: async () => {
      const handed = await contender.handOver(next);
      standing = handed.standing;
      return handed.left;
    },
    isMoot,
  });
  heir?.takeAlong({ standing: left.then(() => standing), following });
  return left;
}
