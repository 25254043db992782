import { setTimeout as sleep } from 'node:timers/promises';
import { type CallTls, call } from './http.js';

const POLL_MS = 15;
const CALL_TIMEOUT_MS = 500;

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
    if (await isHealthy(endpoint, tls, signal)) return;
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function isHealthy(endpoint: string, tls: CallTls | undefined, signal: AbortSignal): Promise<boolean> {
  try {
    const { status, text } = await call(`${endpoint}/health`, { tls, timeoutMs: CALL_TIMEOUT_MS, signal });
    return status === 200 && /"health"\s*:\s*"?true/.test(text);
  } catch {
    return false; // not there yet: refused, reset, or still starting
  }
}
