import { expect, it } from 'vitest';
import { eventually } from './eventually.js';

it('resolves to the first value that is not false', async () => {
  let calls = 0;
  const value = await eventually(
    () => {
      calls += 1;
      if (calls < 3) throw new Error('not yet');
      return calls < 5 ? false : 'done';
    },
    { intervalMs: 1 },
  );
  expect(value).toBe('done');
  expect(calls).toBe(5);
});

it('rejects with the last error', async () => {
  let calls = 0;
  const failing = eventually(
    () => {
      calls += 1;
      throw new Error(`try ${calls}`);
    },
    { timeoutMs: 30, intervalMs: 5 },
  );
  await expect(failing).rejects.toThrow(/^try \d+$/);
});

it('rejects when the condition stays false, hangs, or is aborted', async () => {
  await expect(eventually(() => false, { timeoutMs: 10, intervalMs: 2 })).rejects.toThrow(
    /still false after 10 ms/,
  );
  await expect(eventually(() => new Promise(() => undefined), { timeoutMs: 10 })).rejects.toThrow(
    /not finished/,
  );
  const reason = new Error('enough');
  const aborted = expect.objectContaining({ code: 'COORD_TESTKIT_ABORTED', cause: reason });
  await expect(eventually(() => true, { signal: AbortSignal.abort(reason) })).rejects.toThrow(aborted);
  const controller = new AbortController();
  const waiting = eventually(() => false, { signal: controller.signal });
  controller.abort(reason);
  await expect(waiting).rejects.toThrow(aborted);
});
