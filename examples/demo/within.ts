import { setTimeout as sleep } from 'node:timers/promises';
import { now } from './clock.js';

/** A promise with a deadline. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(inVain(ms, what)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until `condition` holds. @throws when it does not within `ms` */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { ms = 5_000, signal }: { readonly ms?: number; readonly signal: AbortSignal },
): Promise<void> {
  const deadline = now() + ms;
  while (!(await condition())) {
    if (now() > deadline) throw inVain(ms, what);
    await sleep(10, undefined, { signal });
  }
}

function inVain(ms: number, what: string): Error {
  return new Error(`waited ${ms} ms in vain for ${what}`);
}
