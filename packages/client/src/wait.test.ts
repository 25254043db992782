import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { backoffDelayMs, delay } from './backoff.js';
import { AbortedError, CoordError, TimeoutError, ValidationError } from './errors.js';
import { raceAbort, Wait } from './wait.js';

const never = new Promise<never>(() => undefined);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('Wait', () => {
  it('refuses bad options and a signal that has fired', () => {
    expect(() => new Wait({ timeoutMs: 0 }, 'x')).toThrow(ValidationError);
    expect(() => new Wait({ signal: AbortSignal.abort() }, 'x')).toThrow(AbortedError);
  });

  it('has a signal for others only where it can end', () => {
    expect(new Wait({}, 'x').signalIfAny).toBeUndefined();
    expect(new Wait(undefined, 'x').signalIfAny).toBeUndefined();
    using timed = new Wait({ timeoutMs: 100 }, 'x');
    expect(timed.signalIfAny).toBe(timed.signal);
    const caller = new AbortController();
    using called = new Wait({ signal: caller.signal }, 'x');
    caller.abort();
    expect(called.signalIfAny?.aborted).toBe(true);
  });

  it('ends by its timeout, with the error that was asked for', async () => {
    const wait = new Wait({ timeoutMs: 100 }, 'lock "a"');
    const race = expect(wait.race(never)).rejects.toThrow('lock "a": not done within 100 ms');
    expect(wait.remainingMs).toBe(100);
    await vi.advanceTimersByTimeAsync(99);
    wait.check();
    await vi.advanceTimersByTimeAsync(1);
    await race;
    expect(() => wait.check()).toThrow(TimeoutError);
    expect(wait.remainingMs).toBe(0);
    const own = new Wait({ timeoutMs: 1 }, 'x', (ms) => new CoordError('MINE', `${ms}`));
    await vi.advanceTimersByTimeAsync(1);
    expect(() => own.check()).toThrow('1');
  });

  it('ends by the signal, with its reason as cause, and leaves nothing behind', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const wait = new Wait({ signal: controller.signal, timeoutMs: 100 }, 'x');
    const race = expect(wait.race(never)).rejects.toMatchObject({ name: 'AbortedError', cause: reason });
    controller.abort(reason);
    await race;
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    expect(getEventListeners(wait.signal, 'abort')).toHaveLength(0);
  });

  it('disposal takes listener and timer away', () => {
    const { signal } = new AbortController();
    const wait = new Wait({ signal, timeoutMs: 100 }, 'x');
    wait[Symbol.dispose]();
    expect([vi.getTimerCount(), getEventListeners(signal, 'abort').length]).toEqual([0, 0]);
  });

  it('errorFor keeps the outcome of the step that was cut short', async () => {
    const wait = new Wait({ timeoutMs: 1 }, 'x');
    const step = new AbortedError('put', { outcome: 'unknown' });
    expect(wait.errorFor(step)).toBe(step);
    await vi.advanceTimersByTimeAsync(1);
    expect(wait.errorFor(step)).toMatchObject({ name: 'TimeoutError', outcome: 'unknown' });
    expect(wait.errorFor(new Error('other'))).toBe(wait.signal.reason);
  });
});

describe('raceAbort', () => {
  it('passes on the result, and takes its listener away', async () => {
    const { signal } = new AbortController();
    expect(await raceAbort(Promise.resolve(1), signal)).toBe(1);
    await expect(raceAbort(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
    await vi.advanceTimersByTimeAsync(0);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('a promise that fails after the abort is no unhandled rejection', async () => {
    const controller = new AbortController();
    controller.abort(new Error('gone'));
    await expect(raceAbort(Promise.reject(new Error('late')), controller.signal)).rejects.toThrow('gone');
  });
});

describe('backoff', () => {
  const backoff = { initialDelayMs: 100, maxDelayMs: 1_000, multiplier: 2 };
  it('grows to its maximum; the upper half is random', () => {
    const ceilings = [1, 2, 3, 4, 5, 50].map((attempt) => backoffDelayMs(attempt, backoff, () => 1));
    expect(ceilings).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    expect(backoffDelayMs(2, backoff, () => 0)).toBe(100);
    expect(backoffDelayMs(5_000, backoff, () => 0)).toBe(500);
  });

  it('delay ends by time or by signal, and leaves nothing behind', async () => {
    const controller = new AbortController();
    const done = delay(100, controller.signal);
    await vi.advanceTimersByTimeAsync(100);
    await done;
    const aborted = expect(delay(100, controller.signal)).rejects.toThrow(AbortedError);
    controller.abort();
    await aborted;
    await expect(delay(100, controller.signal)).rejects.toThrow(AbortedError);
    expect([vi.getTimerCount(), getEventListeners(controller.signal, 'abort').length]).toEqual([0, 0]);
  });
});
