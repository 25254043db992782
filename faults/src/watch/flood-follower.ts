import { setTimeout as sleep } from 'node:timers/promises';
import type { CoordClient } from '@coord/client';
import { watchShortly } from './short-watch.js';
import { moment, type Surroundings } from './surroundings.js';
import { untilItWorks } from './until-it-works.js';
import { asidePrefix, FLOOD, FLOOD_BEGINS, FLOOD_ENDS } from './watch-names.js';

const PAUSE_MS = 500;

/** Watches the last flood from its beginning: what comes at once is more than a message holds, and comes in fragments. */
export async function watchFloods(surroundings: Surroundings, client: CoordClient): Promise<void> {
  const { recorder, stopped, assignment } = surroundings.context;
  const prefix = asidePrefix(assignment.run, FLOOD);
  let seen = 0n;
  for (let round = 0; !stopped.aborted; round++) {
    const begins = await untilItWorks(() => client.kv.get(`${prefix}${FLOOD_BEGINS}`));
    if (begins !== undefined && begins.modRevision > seen) {
      const watch = `${assignment.process}-flood-${round}`;
      let [bytes, batches] = [0, 0];
      let isPast = false;
      await watchShortly(
        surroundings,
        client,
        { watch, prefix, from: begins.modRevision, resync: 'error' },
        async ({ events }) => {
          for (const { kv } of events) bytes += kv.value.length;
          batches += 1;
          isPast = events.some(({ key }) => key === `${prefix}${FLOOD_ENDS}`);
          if (batches === 2) await moment(surroundings, 'in a fragment'); // most of it is still on its way
          return isPast;
        },
      );
      if (isPast) {
        seen = begins.modRevision;
        recorder.observe('caught up', { watch }, { bytes });
      }
    }
    await sleep(PAUSE_MS);
  }
}
