import { setTimeout as sleep } from 'node:timers/promises';
import { type CoordClient, CoordError } from '@coord/client';
import { eventually } from '@coord/testkit';
import { randomOf } from '../random.js';
import type { WorkerContext } from '../run/worker-context.js';
import type { Centers } from './centers.js';
import type { ConfigShapes } from './config-operations.js';
import { JunkWriter } from './junk-writer.js';
import { ReleaseWriter } from './release-writer.js';
import { SettingWriter } from './setting-writer.js';
import { SpareWriter } from './spare-writer.js';
import { TunedWriter } from './tuned-writer.js';

/** What a writer of one kind of key needs. */
export interface Writing {
  readonly context: WorkerContext<ConfigShapes>;
  readonly client: CoordClient;
  readonly centers: Centers;
  /** The same numbers for the same seed, process and kind of key. */
  readonly random: () => number;
  /** Unique in the run. */
  nextId(): string;
}

/** Writes one kind of key. */
export interface Writer {
  /** Does one thing. What fails as etcd fails is recorded or left. */
  step(): Promise<void>;
  /** Writes what nothing comes after, if that is not there yet. @returns whether it is */
  finish(): Promise<boolean>;
}

/** The pace, also while etcd is away. */
const PAUSE_MS = 20;
const OTHERS_MS = 40_000;

/** Writes keys of all kinds at once, until told to stop; the first worker ends it all, after the others. */
export async function write(
  context: Writing['context'],
  client: CoordClient,
  centers: Centers,
): Promise<void> {
  const { assignment, stopped } = context;
  const { process, run, seed } = assignment;
  let count = 0;
  const nextId = () => {
    count += 1;
    return `${process}-${count}`;
  };
  const writingOf = (kind: string): Writing => ({
    ...{ context, client, centers, nextId },
    random: randomOf(seed, process, kind),
  });
  const writers: readonly Writer[] = [
    new SettingWriter(writingOf('settings')),
    new ReleaseWriter(writingOf('releases')),
    new TunedWriter(writingOf('tuned')),
    new SpareWriter(writingOf('spare')),
    new JunkWriter(writingOf('junk')),
  ];
  const work = async (writer: Writer) => {
    while (!stopped.aborted) {
      await writer.step().catch(unlessEtcdIsAway);
      await sleep(PAUSE_MS);
    }
  };
  await Promise.all(writers.map(work));
  const done = `/faults/${run}/done`;
  if (assignment.index !== 0) {
    await untilDone(() => client.kv.put(done, '').then(() => true));
    return;
  }
  await eventually(async () => (await client.kv.get(done)) !== undefined, { timeoutMs: OTHERS_MS });
  for (const writer of writers) await untilDone(() => writer.finish());
  await untilDone(() => client.kv.delete(done).then(() => true));
}

async function untilDone(work: () => Promise<boolean>): Promise<void> {
  while (!(await work().catch(unlessEtcdIsAway))) await sleep(PAUSE_MS);
}

/** Reads that fail are no findings. */
function unlessEtcdIsAway(error: unknown): false {
  if (!CoordError.is(error)) throw error;
  return false;
}
