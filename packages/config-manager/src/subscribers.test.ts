import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Subscribers } from './subscribers.js';

function setup() {
  const errors: unknown[] = [];
  return { subscribers: new Subscribers<number>((error) => errors.push(error)), errors };
}

describe('Subscribers', () => {
  it('never call a busy listener twice at once: what comes meanwhile becomes one call', async () => {
    const { subscribers } = setup();
    const calls: [number, number][] = [];
    const finish: (() => void)[] = [];
    subscribers.add((current, previous) => {
      calls.push([current, previous]);
      return new Promise<void>((resolve) => finish.push(resolve));
    });
    for (const current of [1, 2, 3, 4]) subscribers.notify(current, current - 1);
    await turn();
    expect(calls).toEqual([[1, 0]]);
    finish[0]?.();
    await turn();
    expect(calls).toEqual([
      [1, 0],
      [4, 1],
    ]);
    // There and back while it is busy is no change.
    subscribers.notify(5, 4);
    subscribers.notify(4, 5);
    finish[1]?.();
    await turn();
    expect(calls).toHaveLength(2);
  });

  it('go on after a failed listener, whichever way it fails', async () => {
    const { subscribers, errors } = setup();
    const calls: number[] = [];
    subscribers.add((current) => {
      calls.push(current);
      if (current === 1) throw new Error('sync');
      return current === 2 ? Promise.reject(new Error('async')) : undefined;
    });
    for (const current of [1, 2, 3]) {
      subscribers.notify(current, current - 1);
      await turn();
    }
    expect(calls).toEqual([1, 2, 3]);
    expect(errors).toEqual([new Error('sync'), new Error('async')]);
  });

  it('call nobody who has ended, be it by another one or while busy', async () => {
    const { subscribers } = setup();
    const calls: string[] = [];
    let finish = () => {};
    subscribers.add(() => {
      calls.push('first');
      endSecond();
    });
    const endSecond = subscribers.add(() => void calls.push('second'));
    const endBusy = subscribers.add(() => {
      calls.push('busy');
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
    subscribers.notify(1, 0);
    subscribers.notify(2, 1);
    endBusy();
    finish();
    await turn();
    expect(calls).toEqual(['first', 'busy', 'first']);
  });
});
