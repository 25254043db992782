import { setTimeout as sleep } from 'node:timers/promises';
import { CoordError } from '@coord/client';

const RETRY_MS = 100;

/** Tries again as long as etcd cannot be reached. */
export async function untilItWorks<T>(task: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await task();
    } catch (error) {
      if (!CoordError.is(error)) throw error;
      await sleep(RETRY_MS);
    }
  }
}
