import { describe, expect, it } from 'vitest';
import { Cancellation } from './cancellation.js';

describe('Cancellation', () => {
  it('tells its signal, made before or after, and each listener once', () => {
    const cancellation = new Cancellation();
    const { signal } = cancellation;
    const told: string[] = [];
    cancellation.onAbort(() => told.push('a'));
    const stop = cancellation.onAbort(() => told.push('b'));
    stop();
    cancellation.throwIfAborted();
    expect(cancellation.aborted).toBe(false);
    cancellation.abort('first');
    cancellation.abort('second');
    cancellation.onAbort(() => told.push('late'));
    expect(told).toEqual(['a', 'late']);
    expect([cancellation.aborted, cancellation.reason]).toEqual([true, 'first']);
    expect([signal.aborted, signal.reason]).toEqual([true, 'first']);
    const after = new Cancellation();
    after.abort('before');
    expect([after.signal.aborted, after.signal.reason]).toEqual([true, 'before']);
    expect(() => after.throwIfAborted()).toThrow('before');
  });

  it('races a promise, and leaves nothing unhandled', async () => {
    const cancellation = new Cancellation();
    expect(await cancellation.race(Promise.resolve(1))).toBe(1);
    await expect(cancellation.race(Promise.reject(new Error('own')))).rejects.toThrow('own');
    let fail = (_: Error) => {};
    const late = new Promise((_, reject) => {
      fail = reject;
    });
    const raced = cancellation.race(late);
    cancellation.abort(new Error('enough'));
    await expect(raced).rejects.toThrow('enough');
    fail(new Error('too late'));
    await expect(cancellation.race(Promise.resolve(1))).rejects.toThrow('enough');
  });
});
