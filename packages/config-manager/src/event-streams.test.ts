import { expect, it } from 'vitest';
import { EventStreams } from './event-streams.js';

it('keeps at most 1,024 events for a consumer who does not read; the others lose nothing', async () => {
  const streams = new EventStreams<number>();
  const [lazy, eager] = [streams.open(), streams.open()];
  const read: number[] = [];
  for (let event = 0; event < 3_000; event++) {
    streams.emit(event);
    read.push((await eager.next()).value);
  }
  expect(read).toEqual(Array.from({ length: 3_000 }, (_, event) => event));
  expect(lazy.size).toBe(1_024);
  const kept: number[] = [];
  const reading = (async () => {
    for await (const event of lazy) kept.push(event);
  })();
  await expect(reading).rejects.toMatchObject({ code: 'COORD_SLOW_CONSUMER' });
  expect(kept).toHaveLength(1_024);
});
