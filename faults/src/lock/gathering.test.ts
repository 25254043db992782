import { expect, it } from 'vitest';
import { Gathering } from './gathering.js';

it('waits for all, and then lets them go together', async () => {
  const meetings: string[][] = [];
  const gathering = new Gathering(2, async (parts) => void meetings.push([...parts]));
  await Promise.all([gathering.join('a'), gathering.join('b'), gathering.join('c'), gathering.join('d')]);
  expect(meetings.flat().toSorted()).toEqual(['a', 'b', 'c', 'd']);
  expect(meetings[0]).toEqual(expect.arrayContaining(['a', 'b']));
});

it('does not wait for ever for who does not come', async () => {
  const meetings: string[][] = [];
  const gathering = new Gathering(3, async (parts) => void meetings.push([...parts]));
  await Promise.all([gathering.join('a'), gathering.join('b')]);
  await gathering.join('c');
  expect(meetings).toEqual([['a', 'b'], ['c']]);
});
