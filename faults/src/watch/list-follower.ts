import { setTimeout as sleep } from 'node:timers/promises';
import type { CoordClient } from '@coord/client';
import { plus, weightOf } from './digest.js';
import { putOf } from './seen.js';
import { watchShortly } from './short-watch.js';
import { moment, type Surroundings } from './surroundings.js';
import { untilItWorks } from './until-it-works.js';
import { watchPrefix } from './watch-names.js';

const GROUP = 1;
const BATCHES = 20;
const PAUSE_MS = 200;

/** Lists, then watches from the revision after the list; again and again. */
export async function listAndWatch(surroundings: Surroundings, client: CoordClient): Promise<void> {
  const { recorder, stopped, assignment } = surroundings.context;
  const prefix = watchPrefix(assignment.run, GROUP);
  for (let round = 0; !stopped.aborted; round++) {
    const { revision, kvs } = await untilItWorks(() => client.kv.range({ prefix }));
    const sum = kvs.map((kv) => weightOf(putOf(kv))).reduce(plus, 0);
    recorder.observe('listed', { prefix }, { revision: Number(revision), keys: kvs.length, sum });
    await moment(surroundings, 'between list and watch');
    const watch = `${assignment.process}-list-${round}`;
    let count = 0;
    await watchShortly(
      surroundings,
      client,
      { watch, prefix, from: revision + 1n, resync: round % 2 === 0 ? 'difference' : 'snapshot' },
      () => ++count === BATCHES,
    );
    await sleep(PAUSE_MS);
  }
}
