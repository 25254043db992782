import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { QueueWorld } from '../test/schedules/queue-world.js';

const which = fc.nat(7);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ type: 'enter' } as const) },
  {
    weight: 10,
    arbitrary: fc.record({ type: fc.constantFrom('arrive', 'arrive', 'answer', 'push'), which }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('lose' as const),
      which,
      how: fc.constantFrom('again', 'again', 'over', 'unsent'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('leave' as const), which }) },
  { weight: 2, arbitrary: fc.constant({ type: 'handOver' } as const) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('expire', 'rob'), which }) },
);
const schedule = fc.record({
  steps: fc.array(step, { maxLength: 60, size: 'max' }),
  late: fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
});

async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await turn();
}

/** `COORD_SEED` and `COORD_PATH` play a failed schedule again, `COORD_RUNS` asks for more of them. */
const { COORD_SEED, COORD_PATH, COORD_RUNS } = process.env;
const numRuns = Number(COORD_RUNS ?? 1_500);
/** The ordinary run is the same each time; more of them look elsewhere each time. */
const seed = Number(COORD_SEED ?? (COORD_RUNS === undefined ? 1 : Date.now() % 2 ** 31));

it(
  'one believes at a time, in the order of the queue, and whoever leaves is gone for good',
  async () => {
    const seen = { taken: 0, handedOver: 0 };
    await fc.assert(
      fc.asyncProperty(schedule, async ({ steps, late }) => {
        const world = new QueueWorld();
        for (const each of steps) {
          if (each.type === 'enter' || each.type === 'handOver') world[each.type]();
          else if (each.type === 'lose') world.lose(each.which, each.how);
          else world[each.type](each.which);
          await settle();
          world.look();
          expect(world.wrong).toEqual([]);
        }
        await world.finish(late, settle);
        expect(world.wrong).toEqual([]);
        seen.taken += world.taken;
        seen.handedOver += world.handedOver;
      }),
      { seed, numRuns, ...(COORD_PATH === undefined ? {} : { path: COORD_PATH }) },
    );
    if (COORD_PATH !== undefined) return; // a single one
    expect(seen.taken).toBeGreaterThan(numRuns);
    expect(seen.handedOver).toBeGreaterThan(0);
  },
  60_000 + numRuns * 30,
);

it('a key that a late attempt has made anew, after somebody had deleted it, goes with the one who leaves', async () => {
  const world = new QueueWorld();
  world.enter();
  world.lose(0, 'again'); // the first attempt is on its way, and is made again
  await settle();
  world.arrive(1);
  world.answer(0);
  await settle();
  world.rob(0);
  world.arrive(0);
  await world.finish([true], settle);
  expect([world.taken, world.wrong]).toEqual([1, []]);
});

it('one who gives up while it is taken along leaves once, though the look at where it stands fails', async () => {
  const world = new QueueWorld();
  const steps = [
    () => world.enter(),
    () => world.arrive(0),
    () => world.answer(0),
    () => world.handOver(),
    () => world.arrive(0),
    () => world.lose(0, 'again'), // the answer is lost, and it is sent again
    () => world.arrive(0),
    () => world.leave(0), // the one that was taken along
    () => world.answer(0),
    () => world.lose(0, 'again'), // the look
    () => world.push(0),
    () => world.push(0),
  ];
  for (const step of steps) {
    step();
    await settle();
  }
  await world.finish([false], settle);
  expect([world.taken, world.wrong]).toEqual([1, []]);
});
