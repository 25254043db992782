import { describe, expect, it } from 'vitest';
import { PushIterator } from './push-iterator.js';

describe('PushIterator', () => {
  it('gives values in order, whether pushed before or after the question', async () => {
    const values = new PushIterator<number>();
    values.push(1);
    values.push(2);
    expect([await values.next(), await values.next()].map(({ value }) => value)).toEqual([1, 2]);
    const waiting = [values.next(), values.next()];
    values.push(3);
    values.push(4);
    expect((await Promise.all(waiting)).map(({ value }) => value)).toEqual([3, 4]);
  });

  it('ends after the values already pushed, and fails once', async () => {
    const ended = new PushIterator<number>();
    ended.push(1);
    ended.end();
    ended.push(2);
    const seen: number[] = [];
    for await (const value of ended) seen.push(value);
    expect(seen).toEqual([1]);

    const failed = new PushIterator<number>();
    failed.push(1);
    failed.fail(new Error('broken'));
    failed.fail(new Error('again'));
    expect((await failed.next()).value).toBe(1);
    await expect(failed.next()).rejects.toThrow('broken');
    expect(await failed.next()).toEqual({ done: true, value: undefined });
  });

  it('a failure reaches one waiting question, the others end', async () => {
    const values = new PushIterator<number>();
    const [first, second] = [values.next(), values.next()];
    values.fail(new Error('broken'));
    await expect(first).rejects.toThrow('broken');
    expect(await second).toEqual({ done: true, value: undefined });
  });

  it('break drops the rest and closes once', async () => {
    let closed = 0;
    const values = new PushIterator<number>({ onClose: () => closed++ });
    values.push(1);
    values.push(2);
    for await (const _ of values) break;
    await values[Symbol.asyncDispose]();
    values.end();
    expect([closed, values.size, values.closed]).toEqual([1, 0, true]);
    expect(await values.next()).toEqual({ done: true, value: undefined });
  });

  it('tells of each value taken, and replace keeps only the newest', async () => {
    let taken = 0;
    const values = new PushIterator<number>({ onTake: () => taken++ });
    values.push(1);
    values.replace(2);
    expect([(await values.next()).value, taken]).toEqual([2, 1]);
    const waiting = values.next();
    values.push(3);
    expect([(await waiting).value, taken]).toEqual([3, 2]);
  });
});
