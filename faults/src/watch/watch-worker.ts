import { type CoordClient, createClient } from '@coord/client';
import type { WorkerContext } from '../run/worker-context.js';
import { followCopy, followIdleCopy } from './copy-follower.js';
import { watchAtTheEdge } from './edge-follower.js';
import { watchFloods } from './flood-follower.js';
import { listAndWatch } from './list-follower.js';
import { Notebook } from './notebook.js';
import { RunEnd } from './run-end.js';
import type { Surroundings } from './surroundings.js';
import { follow } from './watch-followers.js';
import { CROWD, WATCH_KINDS, type WatchKind } from './watch-kinds.js';
import type { CopySample, Told, WatchShapes } from './watch-operations.js';
import { onWatchStream } from './watch-streams.js';
import { writeAll } from './watch-writer.js';

type Context = WorkerContext<WatchShapes>;

/** Of each process that watches; each has a stream of its own for its watches. */
const CLIENTS = 8;
const CROWD_OF_CLIENT = 6;
const COPIED_GROUP = 2;

/** The first writes, the others watch. */
export async function watchWorker(context: Context): Promise<void> {
  const { index, endpoints } = context.assignment;
  const open = () => createClient({ endpoints, requestTimeoutMs: 3_000 });
  if (index === 0) {
    await using client = open();
    await writeAll(context, client);
    return;
  }
  let isOver = false;
  onWatchStream(() => {
    if (!isOver) context.recorder.observe('stream', {}, {});
  });
  const clients = Array.from({ length: CLIENTS }, () => {
    context.recorder.observe('client', {}, {});
    return open();
  });
  await watchAll(context, clients);
  isOver = true;
  await Promise.all(clients.map((client) => client.close()));
}

async function watchAll(context: Context, clients: readonly CoordClient[]): Promise<void> {
  const { recorder, stopped, assignment } = context;
  const [first, second, third, ofFloods] = clients;
  if (!first || !second || !third || !ofFloods) throw new Error(`${CLIENTS} clients are too few`);
  // What floods a line holds up whatever else comes by it.
  const others = clients.filter((client) => client !== ofFloods);
  const surroundings: Surroundings = {
    context,
    end: new RunEnd(),
    told: new Notebook<Told>((watch, told) => recorder.observe('told', { watch }, { told })),
    samples: new Notebook<CopySample>((copy, samples) => recorder.observe('copied', { copy }, { samples })),
  };
  // A planted mistake shows without the crowd.
  const crowd = assignment.variant === '' ? others.length * CROWD_OF_CLIENT : 0;
  const kinds = [...WATCH_KINDS, ...Array.from({ length: crowd }, () => CROWD)];
  const clientOf = ({ keys }: WatchKind, i: number) =>
    (keys === 'flood' ? ofFloods : others[i % others.length]) ?? first;
  await Promise.all([
    ...kinds.map((kind, i) => follow(surroundings, clientOf(kind, i), kind, i)),
    listAndWatch(surroundings, first),
    watchAtTheEdge(surroundings, second),
    watchFloods(surroundings, ofFloods),
    followCopy(surroundings, first, undefined),
    followCopy(surroundings, second, COPIED_GROUP),
    followIdleCopy(surroundings, third),
    surroundings.end.find(first, assignment.run, stopped),
  ]);
  surroundings.told.close();
  surroundings.samples.close();
}
