import { setTimeout as sleep } from 'node:timers/promises';

/** What to start etcd with for `tokenExpired`. */
export const SHORT_TOKENS = { auth: true, authTokenTtlSeconds: 1 } as const;

/**
 * Resolves when a token that is not used any more has expired. It is the time itself that counts: nothing tells
 * of it, and whoever asks with the token prolongs it. etcd looks at its tokens once a second.
 */
export async function tokenExpired(): Promise<void> {
  await sleep(2_500);
}
