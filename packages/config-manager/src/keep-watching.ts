import { ClosedError } from '@coord/client';
import { backoffDelayMs, delay } from '@coord/client/internal';

const REOPEN = { initialDelayMs: 1_000, maxDelayMs: 30_000, multiplier: 2 };

/**
 * Opens a watch, and opens it again when it throws. The watch itself outlasts every outage; what it
 * throws is of another kind (a permission taken away), and may be mended in etcd.
 */
export async function keepWatching<E>(
  open: () => AsyncIterable<E>,
  onEvent: (event: E) => void,
  onError: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      for await (const event of open()) {
        failures = 0;
        onEvent(event);
      }
    } catch (error) {
      if (signal.aborted) return;
      onError(error);
      if (error instanceof ClosedError) return; // the centre or its client: nothing will come any more
    }
    await delay(backoffDelayMs(Math.max(failures, 1), REOPEN), signal).catch(() => undefined);
  }
}
