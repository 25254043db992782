import { setTimeout as sleep } from 'node:timers/promises';
import { type CallTls, call } from './http.js';

const POLL_MS = 15;
const CALL_TIMEOUT_MS = 500;
/** A full database is no reason to wait: nothing but `disarm` would end it. */
const HEALTH = '/health?exclude=NOSPACE';

/**
 * Resolves when `/health` says that etcd serves; rejects with `signal.reason` when aborted.
 *
 * @internal
 */
export async function waitUntilHealthy(
  endpoint: string,
  options: { readonly tls: CallTls | undefined; readonly signal: AbortSignal },
): Promise<void> {
  const { tls, signal } = options;
  for (;;) {
    signal.throwIfAborted();
    if (await isHealthy(`${endpoint}${HEALTH}`, tls, signal)) return;
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}

/**
 * Resolves when etcd answers its peers, which it does before it has found a leader; rejects with `signal.reason` when aborted.
 *
 * @internal
 */
export async function waitUntilListening(
  peerUrl: string,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const { signal } = options;
  for (;;) {
    signal.throwIfAborted();
    const answer = await call(`${peerUrl}/version`, { timeoutMs: CALL_TIMEOUT_MS, signal }).catch(
      () => undefined,
    );
    if (answer?.status === 200) return;
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function isHealthy(url: string, tls: CallTls | undefined, signal: AbortSignal): Promise<boolean> {
  try {
    const { status, text } = await call(url, { tls, timeoutMs: CALL_TIMEOUT_MS, signal });
    return status === 200 && /"health"\s*:\s*"?true/.test(text);
  } catch {
    return false; // not there yet: refused, reset, or still starting
  }
}
