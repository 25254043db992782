import { randomUUID } from 'node:crypto';
import { type CoordClient, connect } from '@coord/client';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { balancing } from './balancing.js';
import type { Check } from './check.js';
import { contention } from './contention.js';
import { ms } from './format.js';
import { liveConfig } from './live-config.js';
import { Stage } from './stage.js';
import type { Story } from './story.js';
import { within } from './within.js';

const ACTS = { Balancing: balancing, Lock: contention, Config: liveConfig };
const DIAL_TIMEOUT_MS = 3_000;
const WIND_DOWN_MS = 5_000;
const EVERYTHING = { prefix: '' }; // of the demo's own namespace

export interface PlayOptions {
  readonly story: Story;
  /** Undefined: an etcd of its own. */
  readonly endpoints: readonly string[] | undefined;
  readonly signal: AbortSignal;
}

/** Plays all acts, cleans up whatever happens, and resolves to whether every promise was kept. */
export async function play({ story, endpoints, signal }: PlayOptions): Promise<boolean> {
  story.title('Coord: locks, services and configuration on etcd');
  if (endpoints !== undefined) return playOn(endpoints, undefined, story, signal);
  const onProgress = (line: string) => story.line(line);
  const server = await startEtcd({ signal, onProgress });
  try {
    return await playOn(server.endpoints, server, story, signal);
  } finally {
    await server.stop();
  }
}

async function playOn(
  endpoints: readonly string[],
  server: EtcdServer | undefined,
  story: Story,
  signal: AbortSignal,
): Promise<boolean> {
  const namespace = `/coord-demo-${randomUUID()}`;
  const client = await connect({ endpoints, namespace, dialTimeoutMs: DIAL_TIMEOUT_MS }, { signal });
  const stage = new Stage({ client, story, endpoints, namespace, signal });
  try {
    const { version, endpoint, latencyMs } = await client.ping({ signal });
    const where = server?.pid === undefined ? 'in a container' : `pid ${server.pid}`;
    const whose = server === undefined ? '' : `, started for this demo (${where})`;
    story.line(`etcd ${version} at ${endpoint} answers in ${ms(latencyMs)}${whose}`);
    await playActs(stage);
  } finally {
    stage.check(await cleanUp(stage, server));
  }
  story.summary(stage.checks);
  return stage.checks.every(({ kept }) => kept);
}

async function playActs(stage: Stage): Promise<void> {
  const playing = inTurn(stage);
  const { signal } = stage;
  let interrupt = () => {};
  const interrupted = new Promise<void>((resolve) => {
    interrupt = resolve;
    signal.addEventListener('abort', interrupt, { once: true });
  });
  try {
    await Promise.race([playing, interrupted]);
    if (!signal.aborted) return;
    await stage.clear(); // the act that goes on ends with its processes
    await within(WIND_DOWN_MS, 'the act to end', playing).catch(() => undefined);
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}

/** One act after the other. An act that fails is a promise broken, and the last one. */
async function inTurn(stage: Stage): Promise<void> {
  for (const [act, playIt] of Object.entries(ACTS)) {
    try {
      await playIt(stage);
    } catch (error) {
      stage.check({ act, promise: 'it plays to its end', measured: messageOf(error), kept: false });
      return;
    }
  }
}

/** Never throws, lest it hide why the demo ended. */
async function cleanUp(stage: Stage, server: EtcdServer | undefined): Promise<Check> {
  await stage.clear();
  const keysLeft = await removeKeys(stage.client).catch(messageOf);
  await stage.client.close();
  await server?.stop();
  const etcd = server === undefined ? '' : `, etcd ${server.state}`;
  return {
    act: 'Afterwards',
    promise: 'nothing is left running, nor in etcd',
    measured: `${stage.started - stage.running} of ${stage.started} processes ended, ${keysLeft} keys left${etcd}`,
    kept: stage.running === 0 && keysLeft === 0 && (server === undefined || server.state === 'stopped'),
  };
}

/** Removes all keys of the demo and counts what is there then. */
async function removeKeys({ kv }: CoordClient): Promise<number> {
  await kv.delete(EVERYTHING);
  return (await kv.range(EVERYTHING, { countOnly: true })).count;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
