import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type CoordClient, connect, ValidationError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry, drainOnSignal } from '../src/index.js';
import type { DrainingProcess } from './draining-process.js';

const ENDLESS_MS = 3_600_000;
let etcd: EtcdServer;
let client: CoordClient;
const children: ChildProcess[] = [];
let names = 0;

beforeAll(async () => {
  etcd = await startEtcd();
  client = await connect(etcd.connectOptions);
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

afterAll(async () => {
  await client?.close();
  await etcd?.stop();
});

interface Running {
  readonly child: ChildProcess;
  readonly prefix: string;
  readonly said: string[];
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Starts a process whose instances are registered when this resolves. */
async function start(given: Omit<DrainingProcess, 'endpoint' | 'name'>): Promise<Running> {
  const name = `signalled-${++names}`;
  const argument: DrainingProcess = { endpoint: etcd.endpoint, name, ...given };
  const script = fileURLToPath(new URL('draining-process.ts', import.meta.url));
  const child = fork(script, [JSON.stringify(argument)], {
    execArgv: ['--conditions=@coord/source', '--import', 'tsx'],
  });
  children.push(child);
  const said: string[] = [];
  child.on('message', (message) => said.push(String(message)));
  const ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
  await eventually(() => expect(said).toContain('ready'), { timeoutMs: 30_000 });
  return { child, prefix: `/services/${name}/`, said, ended };
}

async function instancesAt(prefix: string): Promise<unknown[]> {
  const { kvs } = await client.kv.range({ prefix });
  return kvs.map((kv) => kv.json());
}

describe('a process that is told to end', () => {
  it('drains first, then lets the calls end, then goes as the signal would have it', async () => {
    const { child, prefix, said, ended } = await start({ hooks: { a: { waitMs: 200 } } });
    const events: unknown[] = [];
    const watch = client.watch({ prefix });
    await watch.ready;
    child.kill('SIGTERM');
    for await (const batch of watch) {
      events.push(...batch.events.map(({ type, kv }) => (type === 'put' ? kv.json() : type)));
      if (events.length === 2) break;
    }
    expect(events).toMatchObject([{ leaving: true, health: 'maintenance' }, 'delete']);
    expect(await ended).toEqual({ code: 143, signal: null });
    expect(said).toEqual(['ready', 'drained a', 'served a']);
  });

  it('ends when the last of several registries has drained, each with a hook of its own', async () => {
    const { child, prefix, said, ended } = await start({
      hooks: { quick: { waitMs: 0 }, slow: { waitMs: 400 } },
    });
    child.kill('SIGTERM');
    expect(await ended).toEqual({ code: 143, signal: null });
    expect(said.sort()).toEqual(['drained quick', 'drained slow', 'ready', 'served quick', 'served slow']);
    expect(await instancesAt(prefix)).toEqual([]);
  });

  it('is not ended by the hook when the application listens itself, even once', async () => {
    const { child, prefix, said, ended } = await start({ hooks: { a: { waitMs: 0 } }, ownExitCode: 7 });
    child.kill('SIGTERM');
    expect(await ended).toEqual({ code: 7, signal: null });
    expect(said).toEqual(['ready', 'heard', 'drained a', 'served a']);
    expect(await instancesAt(prefix)).toEqual([]);
  });

  it('goes on when one of its hooks is to leave it running', async () => {
    const hook = { waitMs: 0, signals: ['SIGUSR2'] } as const;
    const { child, prefix, said } = await start({ hooks: { a: { ...hook, exit: false }, b: hook } });
    child.kill('SIGUSR2');
    await eventually(() => expect(said).toEqual(expect.arrayContaining(['served a', 'served b'])), {
      timeoutMs: 20_000,
    });
    expect(await instancesAt(prefix)).toEqual([]);
    child.send('ping');
    await eventually(() => expect(said).toContain('alive'), { timeoutMs: 20_000 });
    child.kill('SIGUSR2'); // nobody listens any more: it does what it does by default
    await once(child, 'exit');
    expect(child.signalCode).toBe('SIGUSR2');
  });

  it('goes at once at the second signal', async () => {
    const { child, prefix, said, ended } = await start({
      hooks: { a: { waitMs: ENDLESS_MS, timeoutMs: ENDLESS_MS } },
    });
    child.kill('SIGTERM');
    await eventually(async () => expect(await instancesAt(prefix)).toMatchObject([{ leaving: true }]), {
      timeoutMs: 20_000,
    });
    child.kill('SIGTERM');
    expect(await ended).toEqual({ code: 143, signal: null });
    expect(said).toEqual(['ready']);
  });

  it('goes when its time is up, though etcd does not answer', async () => {
    const { child, said, ended } = await start({ hooks: { a: { waitMs: 0, timeoutMs: 300 } } });
    await etcd.pause();
    try {
      child.kill('SIGTERM');
      expect(await ended).toEqual({ code: 143, signal: null });
      expect(said).toEqual(['ready']);
    } finally {
      await etcd.resume();
    }
  });

  it('just dies once the hook is taken away, and is gone after its TTL as any that dies', async () => {
    const { child, prefix, ended } = await start({ hooks: { a: {} }, unhooked: true, ttlMs: 2_000 });
    const events: unknown[] = [];
    await using watch = client.watch({ prefix });
    await watch.ready;
    child.kill('SIGTERM');
    expect(await ended).toEqual({ code: null, signal: 'SIGTERM' });
    for await (const batch of watch) {
      events.push(...batch.events.map(({ type }) => type));
      if (events.includes('delete')) break;
    }
    expect(events.at(-1)).toBe('delete');
    expect(await instancesAt(prefix)).toEqual([]);
  });
});

describe('drainOnSignal', () => {
  it.each([
    [[], {}, ['registries']],
    [[{}], {}, ['registries[0]']],
    [undefined, {}, ['registries[0]']],
    ['registry', null, ['options']],
    ['registry', { signals: [] }, ['signals']],
    ['registry', { signals: ['SIGKILL', 'SIGWHAT', 5] }, ['signals[0]', 'signals[1]', 'signals[2]']],
    [
      'registry',
      { waitMs: -1, timeoutMs: 0, onDrained: 1, exit: 'no' },
      ['timeoutMs', 'exit', 'waitMs', 'onDrained'],
    ],
  ])('refuses %j with %j', (registries, options, paths) => {
    const before = process.listenerCount('SIGTERM');
    const given: readonly unknown[] = [
      registries === 'registry' ? createRegistry(client) : registries,
      options,
    ];
    const issues = () => {
      try {
        Reflect.apply(drainOnSignal, undefined, given);
      } catch (error) {
        if (error instanceof ValidationError) return error.issues.map(({ path }) => path);
        throw error;
      }
      return [];
    };
    expect(issues()).toEqual(paths);
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });

  it('listens only until it is closed', async () => {
    const before = process.listenerCount('SIGTERM');
    const signals = ['SIGTERM', 'SIGTERM'] as const; // twice would be its own second signal
    const hook = drainOnSignal([createRegistry(client), createRegistry(client)], { signals });
    expect(process.listenerCount('SIGTERM')).toBe(before + 1);
    await hook.close();
    await hook[Symbol.asyncDispose]();
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });
});
