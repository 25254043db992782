import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { monotonicNow } from './clock.js';
import { Silence } from './silence.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A call that waits for so long and is given up. */
function wait(silence: Silence, ms: number): boolean {
  const since = monotonicNow();
  vi.advanceTimersByTime(ms);
  return silence.lasts(since);
}

it('blames nobody for a call that had hardly any time', () => {
  const silence = new Silence(5_000);
  expect(wait(silence, 5)).toBe(false);
  vi.advanceTimersByTime(60_000); // nobody waits
  expect(wait(silence, 5)).toBe(false);
});

it('has lasted when one call has waited for a quarter of a second, whatever others were answered', () => {
  const silence = new Silence(5_000);
  const since = monotonicNow();
  vi.advanceTimersByTime(240);
  expect(wait(silence, 5)).toBe(false);
  silence.broken();
  vi.advanceTimersByTime(5);
  expect(silence.lasts(since)).toBe(true);
});

it('has lasted when many short calls have waited, one after the other', () => {
  const silence = new Silence(5_000);
  for (let call = 1; call < 25; call++) expect(wait(silence, 10)).toBe(false);
  expect(wait(silence, 10)).toBe(true);
  silence.broken();
  expect(wait(silence, 10)).toBe(false);
});

it('counts the time once, however many wait at a time', () => {
  const silence = new Silence(5_000);
  for (let round = 1; round <= 3; round++) {
    const since = monotonicNow();
    vi.advanceTimersByTime(50);
    for (let call = 0; call < 100; call++) expect(silence.lasts(since)).toBe(false);
  }
});

it('is shorter for a client whose calls have little time', () => {
  expect(wait(new Silence(100), 49)).toBe(false);
  expect(wait(new Silence(100), 50)).toBe(true);
});
