import {
  CoordError,
  type KV,
  TimeoutError,
  type TxnRequest,
  type TxnResult,
  type WriteOptions,
} from '@coord/client';

/** Whether an attempt to send something may have been applied, or may yet be, without our knowing. */
export interface Sending {
  outcomeLost: boolean;
}

/**
 * How long the first, unrepeated attempt may take. Its failure costs nothing but a second write, so
 * it must not use up the time that a repetition over another endpoint needs.
 */
const FIRST_ATTEMPT_MS = 1_000;

/**
 * Sends a repeatable transaction once; only when its outcome is lost, again and again. So we know
 * whether another attempt may have been applied, or may yet be.
 * @param sendings what the transaction does: each is marked when an outcome is lost
 * @param options `exclusive`: queues that it joins, where nothing else of this client may happen at its revision
 */
export function trackedTxn(
  kv: KV,
  request: TxnRequest,
  sendings: readonly Sending[],
  requestTimeoutMs: number,
  options: Pick<WriteOptions, 'exclusive' | 'signal'> = {},
): Promise<TxnResult> {
  const sendAgain = () => {
    // From here on the client itself repeats it.
    for (const sending of sendings) sending.outcomeLost = true;
    return kv.txn(request, { ...options, idempotent: true });
  };
  if (sendings.some(({ outcomeLost }) => outcomeLost)) return sendAgain();
  const timeoutMs = Math.min(FIRST_ATTEMPT_MS, requestTimeoutMs);
  return kv.txn(request, { ...options, timeoutMs }).catch((error: unknown) => {
    const outcomeLost = !CoordError.is(error) || error.outcome === 'unknown';
    if (!outcomeLost && !(error instanceof TimeoutError)) throw error;
    return sendAgain();
  });
}
