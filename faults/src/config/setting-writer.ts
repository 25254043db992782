import { setTimeout as sleep } from 'node:timers/promises';
import { CoordError, NotFoundError } from '@coord/client';
import type { ConfigCenter } from '@coord/config';
import type { WorkerContext } from '../run/worker-context.js';
import { configKey } from './config-names.js';
import type { ConfigShapes, Setting } from './config-operations.js';

type Context = WorkerContext<ConfigShapes>;

const HIGH = 100;
const INVALID = 0.2;
/** The pace, also while etcd is away. */
const PAUSE_MS = 20;

/** Replaces what it has read, if it still stands; the first writer ends it all with a last value. */
export async function writeSettings(context: Context, config: ConfigCenter): Promise<void> {
  const { assignment, random, stopped } = context;
  for (let round = 1; ; round++) {
    const mayEnd = stopped.aborted && assignment.index !== 0;
    const present = mayEnd ? undefined : await read(config, configKey(assignment.run));
    if (mayEnd || present?.value?.last) return;
    if (present !== undefined) {
      const low = random() < INVALID ? HIGH + 1 : Math.floor(random() * HIGH);
      const last = stopped.aborted;
      const id = `${assignment.process}-${round}`;
      const next = { id, read: present.value?.id ?? '', low: last ? 0 : low, high: HIGH, last };
      await write(context, config, next, present.version);
    }
    await sleep(PAUSE_MS);
  }
}

/** Undefined: it could not be read. */
async function read(
  config: ConfigCenter,
  key: string,
): Promise<{ readonly value?: Setting; readonly version: number } | undefined> {
  try {
    return await config.get<Setting>(key);
  } catch (error) {
    if (error instanceof NotFoundError) return { version: 0 };
    if (CoordError.is(error)) return undefined;
    throw error;
  }
}

async function write(context: Context, config: ConfigCenter, next: Setting, version: number): Promise<void> {
  const { assignment, recorder } = context;
  const key = configKey(assignment.run);
  await context.at('between read and write');
  await recorder.perform('write', next, async () => {
    const written = context.isPlanted('unconditional')
      ? await config.set(key, next)
      : await config.compareAndSet(key, next, version);
    return { version: written.version };
  });
}
