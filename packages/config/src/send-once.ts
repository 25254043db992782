import { ConnectionError, CoordError, TimeoutError, type TxnRequest, type TxnResult } from '@coord/client';
import type { ConfigStore } from './config-store.js';

export interface Sent {
  readonly result: TxnResult;
  /** Set when an earlier attempt may have been applied already: what it failed with. */
  readonly lost: CoordError | undefined;
}

/** How long a first attempt may take: its repetition, perhaps at another endpoint, needs time too. */
const FIRST_ATTEMPT_MS = 1_000;

/**
 * Sends a transaction whose guards let it apply at most once, so that after a lost response the very same
 * one is sent again: either it applies now, or its `failure` branch reads what tells whether it had applied
 * before. We repeat it, not the client, so that we know that there was an earlier attempt.
 *
 * @param what for the log
 * @throws {CoordError} with outcome `unknown` when an attempt may have been applied and nobody can tell
 */
export async function sendOnce(
  store: ConfigStore,
  request: TxnRequest,
  what: Readonly<Record<string, string | number>>,
  signal: AbortSignal,
): Promise<Sent> {
  const { kv } = store.client;
  const timeoutMs = Math.min(FIRST_ATTEMPT_MS, store.requestTimeoutMs);
  let lost: CoordError | undefined;
  const result = await kv.txn(request, { signal, timeoutMs }).catch((error: unknown) => {
    if (signal.aborted || !CoordError.is(error)) throw error;
    if (error.outcome === 'unknown') lost = error;
    else if (!(error instanceof TimeoutError || error instanceof ConnectionError)) throw error;
    store.logger.info('config write got no answer, asking again', { ...what, code: error.code });
    return kv.txn(request, { signal, idempotent: lost !== undefined }).catch((second: unknown) => {
      throw lost ?? second; // the first one may have been applied, whatever became of the second
    });
  });
  return { result, lost };
}
