import { createCoordLogger } from '@coord/client/internal';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HealthCheckFunction } from './health-check.js';
import { HealthChecker } from './health-checker.js';
import { resolveRegistration } from './service-registration.js';

const INTERVAL_MS = 1_000;
let ended: AbortController;
let verdicts: string[];

beforeEach(() => {
  vi.useFakeTimers();
  ended = new AbortController();
  verdicts = [];
});

afterEach(() => {
  ended.abort();
  vi.useRealTimers();
});

function keepRunning(run: HealthCheckFunction, timeoutMs = 100): void {
  const service = resolveRegistration({ name: 'user', address: '10.0.0.1:80' }, []);
  new HealthChecker({
    check: { run, timeoutMs, unhealthyAfter: 2, healthyAfter: 2 },
    intervalMs: INTERVAL_MS,
    key: '/services/user/a',
    logger: createCoordLogger(undefined, 'error'),
    signal: ended.signal,
    service: () => service,
    onVerdict: (verdict) => verdicts.push(verdict),
  }).start();
}

describe('HealthChecker', () => {
  it('runs once an interval, give or take a tenth, from anywhere in the first one', async () => {
    const at: number[] = [];
    keepRunning(() => void at.push(performance.now()));
    const from = performance.now();
    await vi.advanceTimersByTimeAsync(50 * INTERVAL_MS);
    expect((at[0] ?? 0) - from).toBeLessThanOrEqual(INTERVAL_MS);
    const gaps = at.slice(1).map((time, index) => time - (at[index] ?? 0));
    expect(gaps.length).toBeGreaterThan(40);
    for (const gap of gaps) {
      expect(gap).toBeGreaterThanOrEqual(0.9 * INTERVAL_MS - 1);
      expect(gap).toBeLessThanOrEqual(1.1 * INTERVAL_MS + 1);
    }
    expect(new Set(gaps.map(Math.round)).size).toBeGreaterThan(5);
  });

  it.each([
    ['returns nothing', () => undefined, 'healthy'],
    ['resolves', () => Promise.resolve(true), 'healthy'],
    ['returns false', () => false, 'unhealthy'],
    ['resolves to false', () => Promise.resolve(false), 'unhealthy'],
    ['rejects', () => Promise.reject(new Error('no')), 'unhealthy'],
    [
      'throws',
      () => {
        throw new Error('no');
      },
      'unhealthy',
    ],
    ['never ends', () => new Promise(() => undefined), 'unhealthy'],
  ])('finds one that %s', async (_how, run, verdict) => {
    keepRunning(run);
    await vi.advanceTimersByTimeAsync(4 * INTERVAL_MS);
    expect(verdicts[0]).toBe(verdict);
  });

  it('tells a run that its time is up, and waits for it: never are there two at a time', async () => {
    let running = 0;
    let most = 0;
    let aborted = 0;
    let runs = 0;
    keepRunning(async (_service, { signal }) => {
      runs += 1;
      most = Math.max(most, ++running);
      signal.addEventListener('abort', () => aborted++);
      await new Promise((resolve) => setTimeout(resolve, 3.5 * INTERVAL_MS));
      running -= 1;
    });
    await vi.advanceTimersByTimeAsync(30 * INTERVAL_MS);
    expect(most).toBe(1);
    expect(runs).toBeGreaterThanOrEqual(3);
    expect(aborted).toBeGreaterThanOrEqual(runs - 1);
    expect(verdicts[0]).toBe('unhealthy');
    expect(verdicts).not.toContain('healthy');
  });

  it('stops when the registration ends, in the middle of a run, too', async () => {
    let runs = 0;
    let reason: unknown;
    keepRunning((_service, { signal }) => {
      runs += 1;
      signal.addEventListener('abort', () => {
        reason = signal.reason;
      });
      return new Promise(() => undefined);
    }, 10 * INTERVAL_MS);
    await vi.advanceTimersByTimeAsync(1.05 * INTERVAL_MS);
    expect(runs).toBe(1);
    ended.abort('over');
    expect(reason).toBe('over');
    await vi.advanceTimersByTimeAsync(10 * INTERVAL_MS);
    expect(runs).toBe(1);
    expect(verdicts).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
