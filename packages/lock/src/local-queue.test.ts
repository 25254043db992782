import { Cancellation } from '@coord/client/internal';
import { describe, expect, it } from 'vitest';
import { LocalQueue } from './local-queue.js';

const forever = new Cancellation();
const unprepared = { prepare: () => undefined };

describe('LocalQueue', () => {
  it('serves in order, one at a time', async () => {
    const queue = new LocalQueue();
    const first = await queue.enter('a', forever, unprepared);
    const order: number[] = [];
    const waiting = [1, 2, 3].map(async (i) => {
      const turn = await queue.enter('a', forever, unprepared);
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
    await queue.enter('a', forever, unprepared);
    await queue.enter('b', forever, unprepared);
  });

  it('passes a turn on once, however often it is left', async () => {
    const queue = new LocalQueue();
    const first = await queue.enter('a', forever, unprepared);
    const second = queue.enter('a', forever, unprepared);
    first.leave();
    first.leave();
    await second;
    first.leave();
    expect(queue.tryEnter('a')).toBeUndefined();
  });

  it('forgets one that gives up', async () => {
    const queue = new LocalQueue();
    const first = await queue.enter('a', forever, unprepared);
    const abort = new Cancellation();
    const second = queue.enter('a', abort, unprepared);
    const third = queue.enter('a', forever, unprepared);
    abort.abort('enough');
    await expect(second).rejects.toBe('enough');
    await expect(queue.enter('a', abort, unprepared)).rejects.toBe('enough');
    first.leave();
    (await third).leave();
    expect(queue.view('a').ahead).toBe(0);
  });

  it('lets the next one in line get ready, once, and shows it to the one before', async () => {
    const queue = new LocalQueue<{ name: string; prepare(): void }>();
    const prepared: string[] = [];
    const one = (name: string) => ({ name, prepare: () => void prepared.push(name) });
    const first = await queue.enter('a', forever, one('first'));
    expect(first.next).toBeUndefined();
    const second = queue.enter('a', forever, one('second'));
    const abort = new Cancellation();
    const third = queue.enter('a', abort, one('third'));
    const fourth = queue.enter('a', forever, one('fourth'));
    expect(prepared).toEqual(['second']);
    expect(first.next?.name).toBe('second');
    first.leave();
    expect(first.next).toBeUndefined();
    expect((await second).next?.name).toBe('third');
    expect(prepared).toEqual(['second', 'third']);
    abort.abort('enough');
    await expect(third).rejects.toBe('enough');
    expect((await second).next?.name).toBe('fourth');
    expect(prepared).toEqual(['second', 'third', 'fourth']);
    (await second).leave();
    (await fourth).leave();
    expect(prepared).toEqual(['second', 'third', 'fourth']);
  });

  it('knows the holder by the one whose turn it is', async () => {
    const queue = new LocalQueue();
    const turn = await queue.enter('a', forever, unprepared);
    const holder = { etcdKey: 'k', fencingToken: 1n, toJSON: () => ({}) };
    turn.holder = () => holder;
    expect(queue.view('a')).toEqual({ ahead: 1, holder });
  });
});
