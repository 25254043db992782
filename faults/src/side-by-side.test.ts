import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { sideBySide } from './side-by-side.js';

it('does each once, no more than so many at a time, and keeps their order', async () => {
  let busy = 0;
  let most = 0;
  const results = await sideBySide(3, [5, 1, 4, 2, 3], async (turns) => {
    busy += 1;
    most = Math.max(most, busy);
    for (let i = 0; i < turns; i++) await turn();
    busy -= 1;
    return turns * 10;
  });
  expect(results).toEqual([50, 10, 40, 20, 30]);
  expect(most).toBe(3);
});

it('fails with the first that fails', async () => {
  const failing = sideBySide(2, [1, 2], async (item) => {
    if (item === 2) throw new Error('two');
  });
  await expect(failing).rejects.toThrow('two');
});
