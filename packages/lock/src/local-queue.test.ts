import { describe, expect, it } from 'vitest';
import { LocalQueue } from './local-queue.js';

const forever = new AbortController().signal;

describe('LocalQueue', () => {
  it('serves in order, one at a time', async () => {
    const queue = new LocalQueue();
    const first = await queue.enter('a', forever);
    const order: number[] = [];
    const waiting = [1, 2, 3].map(async (i) => {
      const turn = await queue.enter('a', forever);
      order.push(i);
      turn.leave();
    });
    expect(queue.view('a').ahead).toBe(4);
    expect(queue.tryEnter('a')).toBeUndefined();
    await Promise.resolve();
    expect(order).toEqual([]);
    first.leave();
    await Promise.all(waiting);
    expect(order).toEqual([1, 2, 3]);
    expect(queue.view('a').ahead).toBe(0);
    expect(queue.tryEnter('a')).toBeDefined();
  });

  it('lets other names pass', async () => {
    const queue = new LocalQueue();
    await queue.enter('a', forever);
    await queue.enter('b', forever);
  });

  it('passes a turn on once, however often it is left', async () => {
    const queue = new LocalQueue();
    const first = await queue.enter('a', forever);
    const second = queue.enter('a', forever);
    first.leave();
    first.leave();
    await second;
    first.leave();
    expect(queue.tryEnter('a')).toBeUndefined();
  });

  it('forgets one that gives up', async () => {
    const queue = new LocalQueue();
    const first = await queue.enter('a', forever);
    const abort = new AbortController();
    const second = queue.enter('a', abort.signal);
    const third = queue.enter('a', forever);
    abort.abort('enough');
    await expect(second).rejects.toBe('enough');
    await expect(queue.enter('a', abort.signal)).rejects.toBe('enough');
    first.leave();
    (await third).leave();
    expect(queue.view('a').ahead).toBe(0);
  });

  it('knows the holder by the one whose turn it is', async () => {
    const queue = new LocalQueue();
    const turn = await queue.enter('a', forever);
    const holder = { etcdKey: 'k', fencingToken: 1n, toJSON: () => ({}) };
    turn.holder = () => holder;
    expect(queue.view('a')).toEqual({ ahead: 1, holder });
  });
});
