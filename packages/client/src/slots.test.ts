import { describe, expect, it } from 'vitest';
import { Slots } from './slots.js';

describe('Slots', () => {
  it('runs so many at once, the others in order, and a failure frees its slot', async () => {
    const slots = new Slots(2);
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const tasks = Array.from({ length: 8 }, (_, i) =>
      slots.run(async () => {
        most = Math.max(most, ++running);
        order.push(i);
        await Promise.resolve();
        running--;
        if (i === 1) throw new Error('broken');
        return i;
      }),
    );
    const results = await Promise.allSettled(tasks);
    expect(most).toBe(2);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(results.map(({ status }) => status === 'fulfilled')).toEqual(
      [1, 0, 1, 1, 1, 1, 1, 1].map(Boolean),
    );
  });
});
