import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type CoordClient, connect, createClient, ValidationError } from '@coord/client';
import { createRegistry } from '@coord/registry';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import * as shared from '../src/global.js';
import { closeOnSignal, createCoordinator } from '../src/index.js';
import type { EndingProcess } from './ending-process.js';

const ENDLESS_MS = 3_600_000;
const PATIENCE = { timeoutMs: 30_000 };
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

/** Starts a process that holds a lock and has an instance when this resolves. */
async function start(given: Omit<EndingProcess, 'endpoint' | 'name'>) {
  const name = `ending-${++names}`;
  const before = await leases();
  const argument: EndingProcess = { endpoint: etcd.endpoint, name, ...given };
  const script = fileURLToPath(new URL('ending-process.ts', import.meta.url));
  const child = fork(script, [JSON.stringify(argument)], {
    execArgv: ['--conditions=@coord/source', '--import', 'tsx'],
  });
  children.push(child);
  const said: string[] = [];
  child.on('message', (message) => said.push(String(message)));
  const ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
  await eventually(() => expect(said).toContain('ready'), PATIENCE);
  const keys = { service: `/services/${name}/one`, lock: `/locks/${name}/` };
  const ownLeases = async () => (await leases()).filter((id) => !before.includes(id));
  return { child, keys, said, ended, ownLeases };
}

async function leases(): Promise<string[]> {
  return (await client.etcd3.leaseClient.leaseLeases()).leases.map(({ ID }) => ID);
}

async function has(prefix: string): Promise<boolean> {
  return (await client.kv.range({ prefix })).count > 0;
}

describe('a process that is told to end', () => {
  it('deregisters, lets the calls end, releases, revokes, and goes as the signal would have it', async () => {
    const { child, keys, said, ended, ownLeases } = await start({ hook: { waitMs: 0 } });
    expect(await ownLeases()).toHaveLength(2);
    await using watch = client.watch({ prefix: '/' });
    await watch.ready;
    child.kill('SIGTERM');
    expect(await ended).toEqual({ code: 143, signal: null });
    expect(said).toEqual(['ready', 'served SIGTERM']); // with the lock still held
    expect(await ownLeases()).toEqual([]);
    const seen: unknown[] = [];
    for await (const { events } of watch) {
      for (const { type, key, kv } of events) {
        const ofLock = key.startsWith(keys.lock);
        seen.push({
          type,
          what: ofLock ? 'lock' : key,
          leaving: type === 'put' && kv.text().includes('leaving'),
        });
      }
      if (seen.length >= 3) break;
    }
    expect(seen).toEqual([
      { type: 'put', what: keys.service, leaving: true },
      { type: 'delete', what: keys.service, leaving: false },
      { type: 'delete', what: 'lock', leaving: false },
    ]);
  });

  it('releases its locks in time, though the calls under way do not end; of the shared coordinator, too', async () => {
    const given = { global: true, serves: true, hook: { waitMs: 0, timeoutMs: 4_500 } };
    const { child, keys, said, ended, ownLeases } = await start(given);
    child.kill('SIGTERM');
    expect(await ended).toEqual({ code: 143, signal: null });
    expect(said).toEqual(['ready', 'served SIGTERM']);
    expect(await Promise.all([has(keys.service), has(keys.lock)])).toEqual([false, false]);
    expect(await ownLeases()).toEqual([]);
  });

  it('goes at once at the second signal', async () => {
    const hook = { waitMs: 0, timeoutMs: ENDLESS_MS };
    const { child, keys, said, ended } = await start({ serves: true, hook });
    child.kill('SIGTERM');
    await eventually(() => expect(said).toContain('served SIGTERM'), PATIENCE);
    child.kill('SIGTERM');
    expect(await ended).toEqual({ code: 143, signal: null });
    expect(await has(keys.lock)).toBe(true); // left to its lease
  });

  it('goes when its time is up, though etcd does not answer', async () => {
    const { child, said, ended } = await start({ hook: { waitMs: 0, timeoutMs: 600 } });
    await etcd.pause();
    try {
      child.kill('SIGTERM');
      expect(await ended).toEqual({ code: 143, signal: null });
      expect(said).toEqual(['ready']);
    } finally {
      await etcd.resume();
    }
  });
});

describe('closeOnSignal', () => {
  it.each([
    [[], {}, ['coordinators']],
    [[{}], {}, ['coordinators[0]']],
    [undefined, {}, ['coordinators[0]']],
    ['registry', {}, ['coordinators[0]']],
    ['imitation', {}, ['coordinators[0]']],
    ['coordinator', null, ['options']],
    ['coordinator', { signals: ['SIGKILL'], waitMs: -1, exit: 1 }, ['exit', 'signals[0]', 'waitMs']],
  ])('refuses %j with %j', async (target, options, paths) => {
    const before = process.listenerCount('SIGTERM');
    await using coordinator = await createCoordinator(etcd.connectOptions);
    const registry = createRegistry(createClient());
    const imitation = { registry, close: () => {}, client: {} };
    const targets: Record<string, unknown> = { coordinator, registry, imitation };
    const given = typeof target === 'string' ? targets[target] : target;
    const hook = (listen: unknown, ...args: unknown[]) => {
      try {
        if (typeof listen === 'function') Reflect.apply(listen, undefined, args);
        return [];
      } catch (error) {
        if (error instanceof ValidationError) return error.issues.map(({ path }) => path);
        throw error;
      }
    };
    expect(hook(closeOnSignal, given, options)).toEqual(paths);
    if (target === 'coordinator') expect(hook(shared.closeOnSignal, options)).toEqual(paths);
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });

  it('listens only until it is closed', async () => {
    const before = process.listenerCount('SIGTERM');
    await using coordinator = await createCoordinator(etcd.connectOptions);
    const hooks = [closeOnSignal([coordinator]), shared.closeOnSignal()];
    expect(process.listenerCount('SIGTERM')).toBe(before + 2);
    await Promise.all(hooks.map((hook) => hook.close()));
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });
});
