import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LineWatchdog } from './line-watchdog.js';

const TIMES = { quietMs: 2_000, answerMs: 3_000 };
let said: string[];
let watchdog: LineWatchdog;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  said = [];
  watchdog = new LineWatchdog(TIMES, {
    probe: () => said.push('probe'),
    silent: (ms, fresh) => said.push(`silent ${ms}${fresh ? ' from the start' : ''}`),
  });
});
afterEach(() => {
  watchdog.stop();
  vi.useRealTimers();
});

describe('LineWatchdog', () => {
  it('asks nothing while something comes', () => {
    for (let i = 0; i < 20; i++) {
      vi.advanceTimersByTime(1_500);
      watchdog.heard();
    }
    expect(said).toEqual([]);
  });

  it('asks in silence, and an answer is enough', () => {
    vi.advanceTimersByTime(2_000);
    expect(said).toEqual(['probe']);
    vi.advanceTimersByTime(2_900);
    watchdog.heard();
    vi.advanceTimersByTime(1_900);
    expect(said).toEqual(['probe']);
    vi.advanceTimersByTime(200);
    expect(said).toEqual(['probe', 'probe']);
  });

  it('says so when no answer comes, and whether ever anything came', () => {
    vi.advanceTimersByTime(5_000);
    expect(said).toEqual(['probe', 'silent 5000 from the start']);
    watchdog.heard();
    vi.advanceTimersByTime(5_000);
    expect(said.slice(2)).toEqual(['probe', 'silent 5000']);
  });

  it('goes on asking when nobody acts on the silence', () => {
    vi.advanceTimersByTime(10_000);
    expect(said.filter((word) => word === 'probe')).toHaveLength(2);
  });

  it('after a stall of the event loop it reads first, once', () => {
    vi.advanceTimersByTime(2_000);
    // The answer is there, but nobody has read it: time has passed and no timer has fired.
    const now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => now + 9_000);
    vi.advanceTimersByTime(3_000);
    expect(said).toEqual(['probe']);
    watchdog.heard();
    vi.advanceTimersByTime(50);
    expect(said).toEqual(['probe']);
    vi.restoreAllMocks();
  });

  it('is silent itself once stopped', () => {
    watchdog.stop();
    vi.advanceTimersByTime(60_000);
    expect(said).toEqual([]);
  });
});
