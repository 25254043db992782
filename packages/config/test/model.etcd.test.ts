import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { programs } from './model/program.js';
import { type Actor, runProgram } from './model/run-program.js';
import { useEtcd } from './setup.js';

/** Give the seed of a failed run to see the same programs again. */
const seed = Number(process.env.COORD_SEED ?? Date.now() % 2 ** 31);
const numRuns = Number(process.env.COORD_RUNS ?? 8);
const DEPTH = 4;

const t = useEtcd();

it(`random programs of concurrent writers over bad lines keep every promise (COORD_SEED=${seed})`, async () => {
  const makeActor = async (): Promise<
    Omit<Actor, 'config'> & { client: Awaited<ReturnType<typeof t.connect>> }
  > => {
    const line = await t.proxy();
    return { line, client: await t.connect({ endpoints: [line.endpoint], requestTimeoutMs: 10_000 }) };
  };
  const [first, second] = [await makeActor(), await makeActor()];
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      const options = { keyPrefix: `/model-${randomUUID()}`, maxVersionHistory: DEPTH };
      const actors = [first, second].map(({ line, client }) => ({ line, config: t.center(client, options) }));
      const [one, other] = actors;
      if (one === undefined || other === undefined) throw new Error('no actors');
      const world = {
        admin: t.client,
        adminConfig: t.center(t.client, options),
        actors: [one, other] as const,
        keyPrefix: options.keyPrefix,
        depth: DEPTH,
      };
      expect(await runProgram(world, program)).toEqual([]);
    }),
    // Long enough for every run, and short enough to report what a failure has been shrunk to by then.
    { seed, numRuns, interruptAfterTimeLimit: 45_000 },
  );
});
