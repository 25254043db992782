import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { schedules } from '../test/schedules/parameters.js';
import { type CallKind, RetrySchedule } from './retry-schedule.js';

const RETRY = { maxAttempts: 5, initialDelayMs: 200, maxDelayMs: 5_000, multiplier: 2 };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function schedule(kind: CallKind, timeoutMs: number, endpoints: number, retry = RETRY): RetrySchedule {
  return new RetrySchedule(kind, timeoutMs, retry, endpoints);
}

describe('RetrySchedule', () => {
  it.each(['read', 'idempotent'] as const)('%s: two short attempts, then all that is left', (kind) => {
    const call = schedule(kind, 8_000, 3);
    expect(call.answerMs(1)).toBe(2_000);
    vi.advanceTimersByTime(2_000);
    expect(call.answerMs(2)).toBe(2_000);
    vi.advanceTimersByTime(2_000);
    expect(call.answerMs(3)).toBe(4_000);
  });

  it('a single endpoint gets one short attempt: its line may be dead', () => {
    const call = schedule('read', 8_000, 1);
    expect([call.answerMs(1), call.answerMs(2)]).toEqual([2_000, 8_000]);
  });

  it('a write gets all the time for its answer, and a share of it to get ready', () => {
    const call = schedule('write', 8_000, 3);
    expect([call.preparationMs(1), call.answerMs(1)]).toEqual([2_000, 8_000]);
  });

  it('no attempt is too short to be answered, nor longer than what is left', () => {
    const call = schedule('read', 1_000, 3);
    expect(call.answerMs(1)).toBe(500);
    vi.advanceTimersByTime(900);
    expect(call.answerMs(2)).toBe(100);
    vi.advanceTimersByTime(900);
    expect(call.answerMs(3)).toBe(1);
  });

  it('names whole milliseconds: errors quote them', () => {
    const call = schedule('read', 5_001, 3);
    vi.advanceTimersByTime(300.07);
    expect([call.answerMs(1), call.answerMs(3)]).toEqual([1_250, 4_701]);
  });

  it('a single attempt is not cut short: there is no other', () => {
    expect(schedule('read', 8_000, 1, { ...RETRY, maxAttempts: 1 }).answerMs(1)).toBe(8_000);
  });

  it('goes round the endpoints at once, and then pauses for longer and longer', () => {
    const call = schedule('read', 60_000, 3);
    expect([call.pauseMs(1), call.pauseMs(2)]).toEqual([0, 0]);
    const [first = 0, second = 0] = [call.pauseMs(3), call.pauseMs(4)];
    expect(first).toBeGreaterThanOrEqual(100);
    expect(first).toBeLessThanOrEqual(200);
    expect(second).toBeGreaterThanOrEqual(200);
    expect(second).toBeLessThanOrEqual(400);
    expect(call.pauseMs(5)).toBeUndefined();
  });

  it('gives each endpoint its turn, however few attempts there are to be', () => {
    const call = schedule('read', 60_000, 7);
    expect(call.pauseMs(6)).toBe(0);
    expect(call.pauseMs(7)).toBeUndefined();
  });

  it('ends when there is no time for the pause', () => {
    const call = schedule('read', 1_000, 1);
    vi.advanceTimersByTime(950);
    expect(call.pauseMs(1)).toBeUndefined();
  });

  it('plans within the deadline and the number of attempts, with a turn for each endpoint, however long each takes', () => {
    const plan = fc.record({
      kind: fc.constantFrom<CallKind>('read', 'idempotent', 'write'),
      timeoutMs: fc.integer({ min: 1, max: 120_000 }),
      endpoints: fc.integer({ min: 1, max: 7 }),
      maxAttempts: fc.integer({ min: 1, max: 6 }),
      shares: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 8 }),
    });
    const property = fc.property(plan, ({ kind, timeoutMs, endpoints, maxAttempts, shares }) => {
      const call = schedule(kind, timeoutMs, endpoints, { ...RETRY, maxAttempts });
      const startedAt = performance.now();
      const leftMs = () => timeoutMs - (performance.now() - startedAt);
      for (let attempt = 1; ; attempt++) {
        expect(attempt).toBeLessThanOrEqual(Math.max(maxAttempts, endpoints));
        const answerMs = call.answerMs(attempt);
        expect(answerMs).toBeGreaterThanOrEqual(1);
        expect(answerMs).toBeLessThanOrEqual(Math.max(1, leftMs() + 0.5));
        if (kind === 'write') expect(answerMs).toBe(call.leftMs);
        vi.advanceTimersByTime(answerMs * (shares[attempt % shares.length] ?? 1));
        const pauseMs = call.pauseMs(attempt);
        if (pauseMs === undefined) {
          const isLast = attempt >= Math.max(maxAttempts, endpoints);
          if (!isLast && leftMs() > RETRY.maxDelayMs + 2) throw new Error(`gave up with ${leftMs()} ms left`);
          return;
        }
        if (attempt < endpoints) expect(pauseMs).toBe(0);
        expect(pauseMs).toBeLessThan(leftMs());
        vi.advanceTimersByTime(pauseMs);
      }
    });
    fc.assert(property, schedules(1_000));
  });
});
