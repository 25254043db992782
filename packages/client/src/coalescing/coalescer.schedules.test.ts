import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CoalescerWorld, type Refusal } from '../../test/schedules/coalescer-world.js';
import { schedules, timeFor } from '../../test/schedules/parameters.js';
import type { CallPlan } from '../../test/schedules/planned-call.js';
import { SimulatedTime } from '../../test/schedules/simulated-time.js';

const which = fc.nat(7);
const plan: fc.Arbitrary<CallPlan> = fc.record({
  type: fc.constantFrom('get', 'list', 'put', 'put', 'put', 'delete', 'create', 'release', 'pair'),
  key: fc.constantFrom('a', 'b', 'c', 'd', 'q1', 'q2'),
  idempotent: fc.boolean(),
  coalesce: fc.oneof(
    { weight: 9, arbitrary: fc.constant(true) },
    { weight: 1, arbitrary: fc.constant(false) },
  ),
  timeoutMs: fc.constantFrom(5_000, 5_000, 4_000, 60_000, 700, 100),
});
const refusals: readonly Refusal[] = ['lease', 'ops', 'size', 'space', 'leader'];
const step = fc.oneof(
  {
    weight: 84,
    arbitrary: fc.record({
      type: fc.constant('calls' as const),
      plans: fc.array(plan, { minLength: 1, maxLength: 6 }),
    }),
  },
  { weight: 80, arbitrary: fc.record({ type: fc.constantFrom('depart', 'arrive', 'answer'), which }) },
  { weight: 8, arbitrary: fc.record({ type: fc.constantFrom('abort', 'lose'), which }) },
  {
    weight: 14,
    arbitrary: fc.record({ type: fc.constant('refuse' as const), which, how: fc.constantFrom(...refusals) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('time' as const),
      how: fc.constantFrom('pass', 'stall'),
      ms: fc.constantFrom(1, 30, 60, 260, 1_000, 6_000),
    }),
  },
  { weight: 4, arbitrary: fc.constant({ type: 'turn' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'many' as const }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const schedule = fc.record({
  steps: fc.array(step, { maxLength: 40, size: 'max' }),
  close: fc.boolean(),
  late: fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
  seed: fc.nat(),
});

async function take(step: Step, world: CoalescerWorld, time: SimulatedTime): Promise<void> {
  if (step.type === 'calls') for (const each of step.plans) world.call(each);
  else if (step.type === 'many') for (let i = 0; i < 150; i++) world.call(cold(i));
  else if (step.type === 'refuse') world.refuse(step.which, step.how);
  else if (step.type === 'time') await time[step.how](step.ms);
  else if (step.type !== 'turn') world[step.type](step.which);
  // Calls that nothing has happened to yet share their turn with those of the next step.
  if (step.type !== 'calls' && step.type !== 'abort') await time.settle();
  world.look();
}

const cold = (i: number): CallPlan => ({
  type: 'put',
  key: `x${i}`,
  idempotent: false,
  coalesce: true,
  timeoutMs: 60_000,
});

const parameters = schedules(1_200);

it(
  'each call is answered as if by itself, in order and in time, whatever becomes of the requests',
  async () => {
    let batches = 0;
    await fc.assert(
      fc.asyncProperty(schedule, async ({ steps, close, late, seed }) => {
        using time = new SimulatedTime(seed);
        const world = new CoalescerWorld(time);
        for (const each of steps) {
          await take(each, world, time);
          expect(world.wrong).toEqual([]);
        }
        if (close) world.close();
        await world.finish(late);
        expect(world.wrong).toEqual([]);
        batches += world.batches;
      }),
      parameters,
    );
    if (parameters.path === undefined) expect(batches).toBeGreaterThan(parameters.numRuns / 2);
  },
  timeFor(parameters),
);
