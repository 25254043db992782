import fc from 'fast-check';
import { expect, it } from 'vitest';
import { commands } from './model/commands.js';
import { World } from './model/world.js';
import { useEtcd } from './setup.js';

/** Give the seed of a failed run to see the same programs again. */
const seed = Number(process.env.COORD_SEED ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env.COORD_RUNS ?? 6);

const t = useEtcd();

it('a manager keeps its promises through any sequence of writes, cuts, compactions and restarts', async () => {
  let applied = 0;
  const property = fc.asyncProperty(
    commands(),
    fc.constantFrom<'keep' | 'default'>('keep', 'default'),
    fc.boolean(),
    async (program, onDelete, layered) => {
      const world = await World.open(t, onDelete, layered);
      try {
        await fc.asyncModelRun(() => ({ model: {}, real: world }), program);
        await world.settle();
        applied += world.applied;
      } finally {
        await world.close();
      }
    },
  );
  await fc.assert(property, { seed, numRuns, endOnFailure: process.env.COORD_SHRINK === undefined });
  expect(applied).toBeGreaterThan(numRuns);
}, 600_000);
