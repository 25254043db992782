import { describe, expect, it } from 'vitest';
import { LatestQueue } from './latest-queue.js';

function setup() {
  const started: number[] = [];
  const finish: (() => void)[] = [];
  const queue = new LatestQueue<number>((item) => {
    started.push(item);
    return new Promise((resolve) => finish.push(resolve));
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { queue, started, finish, settle };
}

describe('LatestQueue', () => {
  it('works off one item at a time, and of those that wait only the newest', async () => {
    const { queue, started, finish, settle } = setup();
    queue.offer(1);
    await settle();
    queue.offer(2);
    queue.offer(3);
    await settle();
    expect(started).toEqual([1]);
    finish[0]?.();
    await settle();
    expect(started).toEqual([1, 3]);
    expect(queue.busy).toBe(true);
    finish[1]?.();
    await queue.idle();
    expect(queue.busy).toBe(false);
  });

  it('takes what the work itself offers', async () => {
    const started: number[] = [];
    const queue: LatestQueue<number> = new LatestQueue(async (item) => {
      started.push(item);
      if (item < 3) queue.offer(item + 1);
    });
    queue.offer(1);
    await queue.idle();
    expect(started).toEqual([1, 2, 3]);
  });

  it('drops what waits when closed, and waits for what runs', async () => {
    const { queue, started, finish, settle } = setup();
    queue.offer(1);
    await settle();
    queue.offer(2);
    queue.close();
    queue.offer(3);
    finish[0]?.();
    await queue.idle();
    expect(started).toEqual([1]);
  });
});
