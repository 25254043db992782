import { TimeoutError, type WaitOptions } from '@coord/client';
import { Wait } from '@coord/client/internal';
import { LockTimeoutError, type QueueView } from './errors.js';

/** The wait of a caller in a queue: without `timeoutMs` for as long as it takes. @param view what is known of the queue */
export function waitInQueue(
  name: string,
  options: WaitOptions | undefined,
  view: () => QueueView & { cause?: unknown },
): Wait {
  return new Wait(options, `lock "${name}"`, (ms) => new LockTimeoutError(name, ms, view()));
}

/** The wait of a caller who takes what is free at once. @param defaultMs how long etcd may take to answer */
export function waitForAnswer(name: string, options: WaitOptions | undefined, defaultMs: number): Wait {
  const timeoutMs = options?.timeoutMs ?? defaultMs;
  const noAnswer = (ms: number) =>
    new TimeoutError(`lock "${name}": etcd did not answer within ${ms} ms`, { timeoutMs: ms });
  return new Wait({ ...options, timeoutMs }, `lock "${name}"`, noAnswer);
}
