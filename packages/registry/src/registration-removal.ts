import { ClosedError, type KV } from '@coord/client';
import { type CoordLogger, monotonicNow } from '@coord/client/internal';
import { type Farewell, removeInstance } from './guarded-removal.js';
import type { KeyClaim } from './key-claim.js';
import { pauseInBackground } from './retry.js';

export interface RemovalOptions {
  readonly kv: KV;
  readonly claim: KeyClaim;
  readonly logger: CoordLogger;
  readonly farewell?: Farewell | undefined;
}

/**
 * Removes what a registration has written, or may still have on its way to etcd, however long that takes.
 * @returns what the registration is from then on
 */
export async function removeUntilGone(options: RemovalOptions): Promise<'deregistered' | 'superseded'> {
  const { kv, claim, logger, farewell } = options;
  const { key } = claim;
  const startedAt = monotonicNow();
  for (let attempt = 1; ; attempt++) {
    try {
      if (claim.hasUnresolvedWrites) await claim.withdraw();
      const outcome = await removeInstance(kv, key, (present) => claim.owns(present), {}, farewell);
      const durationMs = Math.round(monotonicNow() - startedAt);
      logger.info('instance deregistered', { key, outcome, attempt, durationMs });
      return outcome === 'replaced' ? 'superseded' : 'deregistered';
    } catch (error) {
      if (error instanceof ClosedError) return 'deregistered'; // its lease goes with the client
      logger.warn('instance not deregistered yet', { key, attempt, error });
      await pauseInBackground(attempt);
    }
  }
}

/** A lost attempt to create the key must not land after whoever follows has gone, nor stay if it has landed. */
export async function withdrawLateWrites(kv: KV, claim: KeyClaim): Promise<void> {
  if (!claim.hasUnresolvedWrites) return;
  for (let attempt = 1; ; attempt++) {
    try {
      return await removeLateWrites(kv, claim);
    } catch (error) {
      if (error instanceof ClosedError) return;
      await pauseInBackground(attempt);
    }
  }
}

/** The same, once: when it has resolved, none of them is there or can come any more. */
export async function removeLateWrites(kv: KV, claim: KeyClaim): Promise<void> {
  await claim.withdraw();
  await removeInstance(kv, claim.key, (present) => claim.owns(present), {});
}
