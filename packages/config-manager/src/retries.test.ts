import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { resolveOptions } from './resolve-options.js';
import { Retries } from './retries.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('Retries', () => {
  it('come after 1, 5 and 30 seconds by default, and then no more', () => {
    const config = { watch: () => undefined };
    const place = { env: 'e', service: 's', component: 'c', defaults: {} };
    const { retryDelaysMs } = resolveOptions({ config: config as never, ...place });
    const retries = new Retries();
    const tried: number[] = [];
    const startedAt = Date.now();
    const again = () => {
      tried.push(Date.now() - startedAt);
      retries.schedule(retryDelaysMs, again);
    };
    expect(retries.schedule(retryDelaysMs, again)).toBe(true);
    vi.advanceTimersByTime(120_000);
    expect(tried).toEqual([1_000, 6_000, 36_000]);
    expect(retries.schedule(retryDelaysMs, again)).toBe(false);
  });

  it('begin anew after a reset, and nothing of before comes any more', () => {
    const retries = new Retries();
    const tried: string[] = [];
    retries.schedule([10, 20], () => tried.push('before'));
    retries.reset();
    retries.schedule([10, 20], () => tried.push('after'));
    vi.advanceTimersByTime(10);
    expect(tried).toEqual(['after']);
  });
});
