import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ManagerWorld } from '../test/schedules/manager-world.js';
import type { Content } from '../test/schedules/scripted-center.js';

const contents = fc.constantFrom<Content>('valid', 'valid', 'valid', 'refused', 'unreadable', 'deleted');
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('write' as const), content: contents }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('tell' as const),
      how: fc.constantFrom('next', 'next', 'last'),
    }),
  },
  {
    weight: 14,
    arbitrary: fc.record({
      type: fc.constant('end' as const),
      which: fc.nat(3),
      how: fc.constantFrom('well', 'well', 'well', 'well', 'failed', 'for good'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.constantFrom(100, 450, 1_500) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('waitFor' as const), ahead: fc.nat(1) }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constantFrom('failWatch', 'reload', 'start', 'start', 'stop') }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const schedule = fc.record({
  steps: fc.array(step, { maxLength: 30, size: 'max' }),
  onDelete: fc.constantFrom('keep', 'default'),
});

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 500) {
    vi.advanceTimersByTime(Math.min(left, 500));
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 2; i++) await turn();
}

async function take(step: Step, world: ManagerWorld): Promise<void> {
  if (step.type === 'write') world.write(step.content);
  else if (step.type === 'tell') world.tell(step.how);
  else if (step.type === 'end') world.end(step.which, step.how);
  else if (step.type === 'pass') await pass(step.ms);
  else if (step.type === 'waitFor') void world.waitFor(step.ahead);
  else if (step.type === 'failWatch') world.failWatch();
  else void world[step.type]();
  await settle();
  world.look();
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'], now: 1_000_000 });
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** `COORD_SEED` and `COORD_PATH` play a failed schedule again, `COORD_RUNS` asks for more of them. */
const { COORD_SEED, COORD_PATH, COORD_RUNS } = process.env;
const numRuns = Number(COORD_RUNS ?? 1_000);
/** The ordinary run is the same each time; more of them look elsewhere each time. */
const seed = Number(COORD_SEED ?? (COORD_RUNS === undefined ? 1 : Date.now() % 2 ** 31));

it(
  'a manager shows only what is valid, never older, keeps the last good, and tells whoever waits',
  async () => {
    let applied = 0;
    await fc.assert(
      fc.asyncProperty(schedule, async ({ steps, onDelete }) => {
        const world = new ManagerWorld(onDelete);
        void world.start();
        for (const each of steps) {
          await take(each, world);
          expect(world.wrong).toEqual([]);
        }
        await world.finish(pass);
        expect(world.wrong).toEqual([]);
        applied += world.applied;
      }),
      { seed, numRuns, ...(COORD_PATH === undefined ? {} : { path: COORD_PATH }) },
    );
    if (COORD_PATH === undefined) expect(applied).toBeGreaterThan(numRuns / 4);
  },
  120_000 + numRuns * 60,
);
