import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ClaimWorld } from '../test/schedules/claim-world.js';

const which = fc.nat(5);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ type: 'push' } as const) },
  { weight: 8, arbitrary: fc.record({ type: fc.constantFrom('arrive', 'answer'), which }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('lose' as const),
      which,
      how: fc.constantFrom('again', 'over'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('leave' as const),
      how: fc.constantFrom('by itself', 'by others'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('rob' as const), how: fc.constantFrom('deletes', 'takes') }),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'expire' } as const) },
);
const schedule = fc.record({
  steps: fc.array(step, { maxLength: 30, size: 'max' }),
  late: fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }),
});

async function settle(): Promise<void> {
  for (let i = 0; i < 2; i++) await turn();
}

/** `COORD_SEED` and `COORD_PATH` play a failed schedule again, `COORD_RUNS` asks for more of them. */
const { COORD_SEED, COORD_PATH, COORD_RUNS } = process.env;
const numRuns = Number(COORD_RUNS ?? 1_500);
/** The ordinary run is the same each time; more of them look elsewhere each time. */
const seed = Number(COORD_SEED ?? (COORD_RUNS === undefined ? 1 : Date.now() % 2 ** 31));

it(
  'an instance that has been deregistered does not come back, whatever arrives late',
  async () => {
    let registered = 0;
    await fc.assert(
      fc.asyncProperty(schedule, async ({ steps, late }) => {
        const world = new ClaimWorld();
        for (const each of steps) {
          if (each.type === 'push' || each.type === 'expire') world[each.type]();
          else if (each.type === 'lose') world.lose(each.which, each.how);
          else if (each.type === 'leave') world.leave(each.how);
          else if (each.type === 'rob') world.rob(each.how);
          else world[each.type](each.which);
          await settle();
          world.look();
          expect(world.wrong).toEqual([]);
        }
        await world.finish(late, settle);
        expect(world.wrong).toEqual([]);
        registered += world.registered;
      }),
      { seed, numRuns, ...(COORD_PATH === undefined ? {} : { path: COORD_PATH }) },
    );
    if (COORD_PATH === undefined) expect(registered).toBeGreaterThan(numRuns / 10);
  },
  120_000 + numRuns * 30,
);
