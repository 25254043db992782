import fc from 'fast-check';
import { expect, it } from 'vitest';
import { schedules, timeFor } from '../test/schedules/parameters.js';
import { SimulatedTime } from '../test/schedules/simulated-time.js';
import { type WatchPlan, WatchWorld } from '../test/schedules/watch-world.js';

const which = fc.nat(5);
const some = fc.subarray(['a1', 'a2', 'b1']);
const plan: fc.Arbitrary<WatchPlan> = fc.record({
  prefix: fc.constantFrom('a', 'a', 'b'),
  start: fc.constantFrom<WatchPlan['start']>(0, 1, 3, 'now', 'list'),
  onCompacted: fc.constantFrom('snapshot', 'snapshot', 'fail'),
});
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ type: fc.constant('watch' as const), plan }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('write' as const), puts: some, deletes: some }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constantFrom('work', 'deliver', 'deliver'), which }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('send' as const),
      which,
      revisions: fc.integer({ min: 1, max: 4 }),
      cut: fc.nat(4),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom('read', 'catchUp'), which }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('answer' as const),
      which,
      how: fc.constantFrom('ok', 'ok', 'ok', 'lost'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('stream' as const),
      lag: fc.constantFrom(0, 0, 1, 3),
      how: fc.constantFrom('opens', 'opens', 'opens', 'fails'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constantFrom('breakStream', 'cancel', 'pause', 'resume', 'close'),
      which,
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('compact' as const), back: fc.nat(3) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('time' as const),
      how: fc.constantFrom('pass', 'stall'),
      ms: fc.constantFrom(100, 2_500, 4_500),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function take(step: Step, world: WatchWorld, time: SimulatedTime): Promise<void> {
  if (step.type === 'watch') world.watch(step.plan);
  else if (step.type === 'write') world.write(step.puts, step.deletes);
  else if (step.type === 'send') world.send(step.which, step.revisions, step.cut);
  else if (step.type === 'answer') world.answer(step.which, step.how);
  else if (step.type === 'stream') world.openStream(step.lag, step.how);
  else if (step.type === 'compact') world.compact(step.back);
  else if (step.type === 'time') await time[step.how](step.ms);
  else world[step.type](step.which);
  await time.settle();
}

const parameters = schedules(1_200);

it(
  'a watch is told of each change once, whole and in order, whatever becomes of streams and history',
  async () => {
    const told = { batches: 0, snapshots: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80, size: 'max' }), fc.nat(), async (steps, seed) => {
        using time = new SimulatedTime(seed);
        const world = new WatchWorld(time);
        world.watch({ prefix: 'a', start: 'list', onCompacted: 'snapshot' });
        world.watch({ prefix: 'a', start: 0, onCompacted: 'snapshot' });
        for (const each of steps) {
          await take(each, world, time);
          expect(world.wrong).toEqual([]);
        }
        await world.finish();
        expect(world.wrong).toEqual([]);
        told.batches += world.told.batches;
        told.snapshots += world.told.snapshots;
      }),
      parameters,
    );
    if (parameters.path !== undefined) return; // a single one
    expect(told.batches).toBeGreaterThan(parameters.numRuns);
    expect(told.snapshots).toBeGreaterThan(parameters.numRuns);
  },
  timeFor(parameters),
);
