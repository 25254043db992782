import { type EtcdServer, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  acquireLock,
  acquireReadLock,
  acquireReentrantLock,
  acquireWriteLock,
  close,
  configure,
  deregisterService,
  discoverServices,
  getConfig,
  getServiceConnection,
  ping,
  registerService,
  setConfig,
  watchConfig,
} from '../src/global.js';
import { AbortedError, ClosedError, ConnectionError, CoordError, ValidationError } from '../src/index.js';

let etcd: EtcdServer;
let names = 0;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterEach(async () => {
  await close({ timeoutMs: 2_000 });
});

afterAll(async () => {
  await etcd?.stop();
});

const unique = () => `global-${++names}`;

describe('the shared coordinator', () => {
  it('does everything that a coordinator does', async () => {
    const name = unique();
    configure(etcd.connectOptions);
    expect((await ping()).version).toBe(etcd.version);

    const lock = await acquireLock(name, { timeoutMs: 5_000 });
    expect(await lock.isHeld()).toBe(true);
    const reentrant = await acquireReentrantLock(`${name}-again`, { owner: 'test', timeoutMs: 5_000 });
    expect((await reentrant.reenter()).acquireCount).toBe(2);
    await using read = await acquireReadLock(name, { timeoutMs: 5_000 });
    expect(await read.isHeld()).toBe(true);
    await using write = await acquireWriteLock(`${name}-write`, { timeoutMs: 5_000 });
    expect(await write.isHeld()).toBe(true);

    const { service } = await registerService({ name, address: '10.0.0.1:80' });
    expect(await discoverServices(name)).toHaveLength(1);
    expect((await getServiceConnection(name)).target).toContain(name);
    await deregisterService(name, service.id);
    expect(await discoverServices(name)).toEqual([]);

    const watch = watchConfig<{ port: number }>(name);
    await watch.ready;
    await setConfig(name, { port: 80 });
    expect((await getConfig<{ port: number }>(name)).value.port).toBe(80);
    for await (const change of watch) {
      expect(change).toMatchObject({ type: 'create', value: { port: 80 }, version: 1 });
      break;
    }
  });

  it('is made once, however many use it first', async () => {
    await using proxy = await startProxy({ target: etcd.target });
    configure({ endpoints: [proxy.endpoint] });
    const name = unique();
    await Promise.all([
      ping(),
      setConfig(name, 1),
      discoverServices(name),
      acquireLock(name),
      registerService({ name, address: '10.0.0.1:80' }),
    ]);
    expect(proxy.accepted).toBe(1);
    await close(); // before its proxy
  });

  it('is not spoilt by a first use that failed', async () => {
    await using proxy = await startProxy({ target: etcd.target });
    await proxy.refuse();
    configure({ endpoints: [proxy.endpoint], requestTimeoutMs: 500, retry: { maxDelayMs: 100 } });
    await expect(ping()).rejects.toBeInstanceOf(ConnectionError);
    await expect(getConfig('x')).rejects.toMatchObject({ code: /COORD_(CONNECTION|TIMEOUT)/ });
    await proxy.accept();
    await eventually(() => ping());
    await close();
  });

  it('checks input before it connects', async () => {
    configure({ endpoints: ['127.0.0.1:1'] });
    await expect(acquireLock('')).rejects.toBeInstanceOf(ValidationError);
    await expect(registerService({ name: 'a/b', address: '' })).rejects.toBeInstanceOf(ValidationError);
    await expect(acquireLock('x', { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(AbortedError);
    expect(() => watchConfig('')).toThrow(ValidationError);
  });
});

describe('configure', () => {
  it('reports every problem at once, and keeps what was', async () => {
    configure(etcd.connectOptions);
    expect(() => configure({ dialTimeoutMs: 0, distributedLock: { defaultTtlMs: 0 } })).toThrow(
      /dialTimeoutMs.*distributedLock\.defaultTtlMs/,
    );
    await expect(ping()).resolves.toMatchObject({ version: etcd.version });
  });

  it('comes too late after the first use, and in time again after close', async () => {
    configure(etcd.connectOptions);
    await ping();
    expect(() => configure({})).toThrow(expect.objectContaining({ code: 'COORD_IN_USE' }));
    expect(() => configure({})).toThrow(CoordError);
    await close();
    expect(() => configure({}, JSON.parse('{ "looger": 5 }'))).toThrow('options.looger');
    expect(() => configure({ dialTimeoutMs: 0 }, JSON.parse('{ "logger": 5 }'))).toThrow(
      /logger: .*dialTimeoutMs: |dialTimeoutMs: .*logger: /,
    );
    const name = unique();
    configure({ ...etcd.connectOptions, distributedLock: { keyPrefix: '/elsewhere' } });
    expect((await acquireLock(name)).etcdKey).toContain('/elsewhere/');
  });
});

describe('close', () => {
  it('ends what was used; the next use makes a new coordinator with the same configuration', async () => {
    configure(etcd.connectOptions);
    const name = unique();
    const lock = await acquireLock(name);
    await Promise.all([close(), close()]);
    expect(lock.signal.aborted).toBe(true);
    const again = await acquireLock(name);
    expect(again.fencingToken).toBeGreaterThan(lock.fencingToken);
  });

  it('ends a first use that is still connecting, and does not spoil the next one', async () => {
    await using proxy = await startProxy({ target: etcd.target });
    proxy.blackhole();
    configure({ endpoints: [proxy.endpoint], requestTimeoutMs: 60_000 });
    const name = unique();
    const uses = [
      ping(),
      acquireLock(name),
      registerService({ name, address: '10.0.0.1:80' }),
      getConfig(name),
    ];
    const ended = Promise.all(uses.map((use) => expect(use).rejects.toBeInstanceOf(ClosedError)));
    await eventually(() => proxy.connections > 0, { timeoutMs: 20_000 });
    await close({ timeoutMs: 500 });
    await ended;
    proxy.heal();
    expect((await ping()).version).toBe(etcd.version);
    expect(await discoverServices(name, { consistency: 'linearizable' })).toEqual([]);
    await close(); // before its proxy
  });

  it('lets go of the old while a new one, configured anew, is already at work', async () => {
    await using proxy = await startProxy({ target: etcd.target });
    const name = unique();
    configure({ endpoints: [proxy.endpoint], requestTimeoutMs: 60_000 });
    const old = await acquireLock(name);
    proxy.blackhole();
    const closing = close();
    configure({ ...etcd.connectOptions, distributedLock: { keyPrefix: '/anew' } });
    const lock = await acquireLock(name);
    expect(lock.etcdKey).toContain('/anew/');
    expect(proxy.connections).toBeGreaterThan(0); // the old one still waits for its release
    proxy.heal();
    await closing;
    expect(await lock.isHeld()).toBe(true);
    await close();
    configure(etcd.connectOptions);
    expect((await acquireLock(name, { timeoutMs: 20_000 })).fencingToken).toBeGreaterThan(old.fencingToken);
  });

  it('waits for what an earlier close has not done yet', async () => {
    await using proxy = await startProxy({ target: etcd.target });
    const name = unique();
    configure({ endpoints: [proxy.endpoint], requestTimeoutMs: 60_000 });
    await acquireLock(name);
    proxy.blackhole();
    const order: string[] = [];
    const first = close().then(() => order.push('first'));
    configure(etcd.connectOptions);
    await ping();
    const second = close().then(() => order.push('second'));
    proxy.heal();
    await Promise.all([first, second]);
    expect(order).toEqual(['first', 'second']);
  });

  it('does nothing when nothing was used, and closes nothing for a signal that has fired', async () => {
    await close();
    configure(etcd.connectOptions);
    const lock = await acquireLock(unique());
    await expect(close({ signal: AbortSignal.abort() })).rejects.toBeInstanceOf(AbortedError);
    expect(await lock.isHeld()).toBe(true);
  });
});
