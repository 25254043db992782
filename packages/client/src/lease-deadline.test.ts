import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LeaseDeadline } from './lease-deadline.js';
import { now } from './lease-keeper.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

it('is TTL less a tenth, at most a second, from the moment of sending', () => {
  expect(new LeaseDeadline(now(), 5_000).leftMs).toBe(4_500);
  expect(new LeaseDeadline(now(), 60_000).leftMs).toBe(59_000);
  const sentAt = now();
  vi.advanceTimersByTime(1_200); // the answer took its time
  expect(new LeaseDeadline(sentAt, 5_000).leftMs).toBe(3_300);
});

it('is moved by an acknowledgement, from when that keepalive was sent', () => {
  const deadline = new LeaseDeadline(now(), 5_000);
  vi.advanceTimersByTime(2_000);
  const sentAt = now();
  vi.advanceTimersByTime(1_000);
  deadline.acknowledged(sentAt, 6_000);
  expect([deadline.ttlMs, deadline.leftMs]).toEqual([6_000, 4_400]);
});

it('a jump of the wall clock counts, as after a suspend; one back does not', () => {
  const deadline = new LeaseDeadline(now(), 5_000);
  vi.setSystemTime(Date.now() + 60_000);
  expect(deadline.leftMs).toBeLessThan(0);
  vi.setSystemTime(Date.now() - 3_600_000);
  expect(deadline.leftMs).toBe(4_500);
  vi.advanceTimersByTime(4_500);
  expect(deadline.leftMs).toBe(0);
});
