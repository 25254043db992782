import { expect, it } from 'vitest';
import { Patience } from './patience.js';

const S = 1_000;
const MINUTE = 60 * S;

/** When a line that is always silent is given up, looked at every second. */
function givenUp(patience: Patience, from: number, to: number): number[] {
  const times: number[] = [];
  for (let now = from; now <= to; now += S) {
    if (!patience.isOver(now)) continue;
    patience.gaveUp(now);
    times.push(now / S);
  }
  return times;
}

it('gives a silent line up at once, then after 30 s, then after twice as long each time, up to 10 minutes', () => {
  expect(givenUp(new Patience(), 5 * S, 45 * MINUTE)).toEqual([5, 35, 95, 215, 455, 935, 1_535, 2_135]);
});

it('begins anew after a time in which no line was given up', () => {
  const patience = new Patience();
  expect(givenUp(patience, 0, 2 * MINUTE)).toEqual([0, 30, 90]);
  expect(givenUp(patience, 20 * MINUTE, 22 * MINUTE)).toEqual([1_200, 1_230, 1_290]);
});
