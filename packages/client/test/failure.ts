import { expect } from 'vitest';

/** What a promise is rejected with. It must be. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    (value) => expect.fail(`resolved: ${String(value)}`),
    (error: unknown) => error,
  );
}
