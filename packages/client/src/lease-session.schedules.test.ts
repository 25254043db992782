import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LeaseWorld } from '../test/schedules/lease-world.js';
import { schedules, timeFor } from '../test/schedules/parameters.js';
import { SimulatedTime } from '../test/schedules/simulated-time.js';

const which = fc.nat(5);
const step = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('open' as const),
      ttlMs: fc.constantFrom(2_000, 2_000, 6_000),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom('arrive', 'work', 'deliver'), which }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('answer' as const),
      which,
      how: fc.constantFrom('ok', 'ok', 'again', 'lost'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('stream' as const),
      which,
      how: fc.constantFrom('opens', 'opens', 'opens', 'fails'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('flow' as const), ms: fc.constantFrom(100, 700, 3_000) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('break', 'revoke', 'keepAlive'), which }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('end' as const),
      which,
      how: fc.constantFrom('close', 'orphan'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('time' as const),
      how: fc.constantFrom('pass', 'pass', 'stall'),
      ms: fc.constantFrom(1, 60, 250, 500, 700, 1_900, 4_600),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('jump' as const),
      ms: fc.constantFrom(-3_600_000, 1_000, 10_000),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function take(step: Step, world: LeaseWorld, time: SimulatedTime): Promise<void> {
  if (step.type === 'open') void world.openSession(step.ttlMs);
  else if (step.type === 'answer') world.answer(step.which, step.how);
  else if (step.type === 'stream') world.openStream(step.which, step.how);
  else if (step.type === 'flow') await world.flow(step.ms);
  else if (step.type === 'end') void world.end(step.which, step.how);
  else if (step.type === 'time') await time[step.how](step.ms);
  else if (step.type === 'jump') time.jump(step.ms);
  else if (step.type === 'break') world.breakStream(step.which);
  else if (step.type === 'keepAlive') void world.keepAlive(step.which);
  else world[step.type](step.which);
  await time.settle();
  if (step.type !== 'jump') world.look(); // who looks finds out: nobody does while the machine is suspended
}

const parameters = schedules(1_000);

it(
  'a session believes no longer than etcd does, is lost once, and is kept as long as there is hope',
  async () => {
    const seen = { kept: 0, lost: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 50, size: 'max' }),
        fc.nat(),
        fc.constantFrom('all well', 'lines dead'),
        async (steps, seed, end) => {
          using time = new SimulatedTime(seed);
          const world = new LeaseWorld(time);
          void world.openSession(2_000);
          for (const each of steps) {
            await take(each, world, time);
            expect(world.wrong).toEqual([]);
          }
          await world.finish(end);
          expect(world.wrong).toEqual([]);
          seen.kept += world.kept;
          seen.lost += world.lost;
        },
      ),
      parameters,
    );
    if (parameters.path !== undefined) return; // a single one
    expect(Math.min(seen.kept, seen.lost)).toBeGreaterThan(parameters.numRuns / 4);
  },
  timeFor(parameters),
);
