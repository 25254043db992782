import { randomBytes } from 'node:crypto';
import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { connect, createClient } from '@coord/client';
import { type ConfigCenterConfig, createConfigCenter } from '@coord/config';
import { type EtcdServer, startEtcd, startProxy } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { eventually, useEtcd } from './setup.js';

const t = useEtcd();
const DEFAULTS = { port: 8080, host: 'localhost' };
const SOON = { startTimeoutMs: 300 };
const LATER = { timeoutMs: 20_000 };

describe('etcd away at the start', () => {
  it('without a snapshot: the defaults, and what etcd has as soon as it is back', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 1 });
    const { proxy, config, disconnect } = await t.behindProxy();
    await disconnect();
    const manager = t.manager({ ...place, config, defaults: DEFAULTS, ...SOON });
    await manager.start();
    expect(manager.current).toEqual(DEFAULTS);
    expect(manager.status).toMatchObject({
      state: 'degraded',
      source: 'default',
      stale: true,
      absent: false,
    });
    await expect(manager.reload()).rejects.toThrow();
    await proxy.accept();
    await eventually(() => expect(manager.current.port).toBe(1), LATER);
    await eventually(() =>
      expect(manager.status).toMatchObject({ state: 'ready', source: 'remote', stale: false }),
    );
  });

  it('with a snapshot: the last good value, laid over the defaults of today', async () => {
    const place = t.place();
    const snapshotFile = await t.file();
    await t.config.set(place.key, { port: 1 });
    const first = t.manager({ ...place, defaults: DEFAULTS, snapshotFile });
    await first.start();
    await first.stop();

    const { proxy, config, disconnect } = await t.behindProxy();
    await disconnect();
    const defaults = { ...DEFAULTS, added: true };
    const manager = t.manager({ ...place, config, defaults, snapshotFile, required: true, ...SOON });
    await manager.start();
    expect(manager.current).toEqual({ port: 1, host: 'localhost', added: true });
    expect(manager.status).toMatchObject({ state: 'degraded', source: 'snapshot', version: 1, stale: true });
    await t.config.set(place.key, { port: 2 });
    await proxy.accept();
    await eventually(() => expect(manager.current.port).toBe(2), LATER);
    await eventually(() => manager.status.state === 'ready');
  });

  it('required: start rejects, and may be tried again', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 1 });
    const { proxy, config, disconnect } = await t.behindProxy();
    await disconnect();
    const manager = t.manager({ ...place, config, defaults: DEFAULTS, required: true, ...SOON });
    await expect(manager.start()).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(manager.status.state).toBe('failed');
    await proxy.accept();
    await eventually(() => manager.start().then(() => true), LATER);
    expect(manager.current.port).toBe(1);
  });

  it('required: an absent key and an invalid value are no configuration', async () => {
    const [absent, invalid] = [t.place(), t.place()];
    const schema = z.object({ port: z.number(), host: z.string().min(1) });
    const defaults = { port: 1, host: '' };
    const one = t.manager({ ...absent, defaults, schema, required: true });
    await expect(one.start()).rejects.toMatchObject({ name: 'NotFoundError' });
    await t.config.set(invalid.key, { port: 'x', host: 'h' });
    const other = t.manager({ ...invalid, defaults, schema, required: true });
    await expect(other.start()).rejects.toMatchObject({ issues: [{ path: 'value.port' }] });
  });

  it('a refused value is none, and stays refused where a snapshot stands in for it', async () => {
    const place = t.place();
    const snapshotFile = await t.file();
    const schema = z.object({ port: z.number(), host: z.string() });
    await t.config.set(place.key, { port: 1 });
    const first = t.manager({ ...place, defaults: DEFAULTS, schema, snapshotFile });
    await first.start();
    await first.stop();
    await t.config.set(place.key, { port: 'x' });
    const manager = t.manager({ ...place, defaults: DEFAULTS, schema, snapshotFile, required: true });
    await manager.start();
    expect(manager.current.port).toBe(1);
    expect(manager.status).toMatchObject({
      state: 'degraded',
      source: 'snapshot',
      version: 1,
      rejected: { version: 2, phase: 'schema', retrying: false },
    });
    await t.config.set(place.key, { port: 3 });
    await manager.waitFor(3);
    expect(manager.status).toMatchObject({ state: 'ready', source: 'remote', rejected: undefined });
  });

  it('stop during the start ends it', async () => {
    const { config, disconnect } = await t.behindProxy();
    await disconnect();
    const manager = t.manager({ ...t.place(), config, defaults: DEFAULTS });
    const starting = manager.start();
    starting.catch(() => undefined);
    await manager.stop();
    await expect(starting).rejects.toMatchObject({ name: 'ClosedError' });
    expect(manager.status.state).toBe('stopped');
  });

  it('closes in time while etcd is away', async () => {
    const { config, disconnect } = await t.behindProxy();
    const manager = t.manager({ ...t.place(), config, defaults: DEFAULTS });
    await manager.start();
    await disconnect();
    await manager.stop();
    expect(manager.status.state).toBe('stopped');
  });
});

describe('an outage later', () => {
  it('is bridged; what changed meanwhile is taken over, deletions too', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 1 });
    const { proxy, config, disconnect } = await t.behindProxy();
    const manager = t.manager({ ...place, config, defaults: DEFAULTS });
    await manager.start();
    const ports: number[] = [];
    manager.subscribe((next) => void ports.push(next.port));
    await disconnect();
    await eventually(() => manager.status.stale, LATER);
    expect(manager.current.port).toBe(1);
    await t.config.set(place.key, { port: 2 });
    await t.config.delete(place.key);
    await proxy.accept();
    await eventually(() => manager.status.absent && !manager.status.stale, LATER);
    expect(ports.every((port) => port === 2)).toBe(true);
    await t.config.set(place.key, { port: 3 });
    await eventually(() => expect(manager.current.port).toBe(3));
  });

  it('of the server itself is bridged too', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 1 });
    const manager = t.manager({ ...place, defaults: DEFAULTS });
    await manager.start();
    await t.etcd.kill();
    await eventually(() => manager.status.stale, LATER).finally(() => t.etcd.restart());
    await eventually(() => t.config.set(place.key, { port: 2 }).then(() => true), LATER);
    await eventually(() => expect(manager.current.port).toBe(2), LATER);
  });
});

describe('a backup that was put back', () => {
  it('takes the manager back with it: the only time that it goes back', async () => {
    await using server = await startEtcd();
    await using client = await connect(server.connectOptions);
    await using config = createConfigCenter(client);
    const place = t.place();
    await config.set(place.key, { port: 1 });
    const dataDir = await dataDirOf(server);
    await server.kill();
    await cp(dataDir, `${dataDir}.backup`, { recursive: true });
    await server.restart();

    const manager = t.manager({ ...place, config, defaults: DEFAULTS });
    await manager.start();
    await eventually(() => config.set(place.key, { port: 2 }).then(() => true), LATER);
    for (let i = 0; i < 20; i++) await config.set('elsewhere', i);
    await manager.waitFor(2, LATER);
    const { revision } = manager.status;

    await server.kill();
    await rm(dataDir, { recursive: true });
    await cp(`${dataDir}.backup`, dataDir, { recursive: true });
    await server.restart();
    await eventually(() => expect(manager.current.port).toBe(1), LATER);
    expect(manager.status).toMatchObject({ state: 'ready', version: 1, rejected: undefined });
    expect(manager.status.revision).toBeLessThan(revision);
    await manager.reload();
    const again = await config.set(place.key, { port: 3 });
    await eventually(() => expect(manager.current.port).toBe(3), LATER);
    expect(manager.status).toMatchObject({ version: again.version, revision: again.revision });
    await manager.stop();
    await rm(`${dataDir}.backup`, { recursive: true });
  });
});

describe('the snapshot file', () => {
  it('holds the last good value, readable by its owner only, and never a refused one', async () => {
    const place = t.place();
    const snapshotFile = await t.file();
    const validate = (next: typeof DEFAULTS) => (next.port === 666 ? 'evil' : undefined);
    const manager = t.manager({ ...place, defaults: DEFAULTS, snapshotFile, validate });
    await manager.start();
    await t.config.set(place.key, { port: 1 });
    await eventually(() => manager.current.port === 1);
    await t.config.set(place.key, { port: 666 });
    await eventually(() => manager.status.state === 'degraded');
    await manager.stop();
    const text = await readFile(snapshotFile, 'utf8');
    expect(text.split('\n')[1]).toBe('{"port":1}');
    expect(JSON.parse(text.split('\n')[0] ?? '')).toMatchObject({ key: place.key, version: 1 });
    expect((await stat(snapshotFile)).mode & 0o777).toBe(0o600);
    expect(await readdir(dirname(snapshotFile))).toEqual(['snapshot']);
  });

  it('is encrypted where the centre encrypts, and of no use without the key', async () => {
    const place = t.place();
    const snapshotFile = await t.file();
    const keys = { old: randomBytes(32), today: randomBytes(32) };
    await using encrypting = createConfigCenter(t.client, { encryption: { keys, current: 'old' } });
    await encrypting.set(place.key, { host: 'secret-host' }, { encrypt: true });
    const manager = t.manager({ ...place, config: encrypting, defaults: DEFAULTS, snapshotFile });
    await manager.start();
    await manager.stop();
    expect(await readFile(snapshotFile, 'utf8')).not.toContain('secret-host');
    expect(await readFile(snapshotFile, 'utf8')).toMatch(/\ncoord:sealed:/);

    const proxy = await startProxy({ target: t.etcd.endpoint });
    await proxy.refuse();
    await using away = createClient({ endpoints: [proxy.endpoint], requestTimeoutMs: 500 });
    const startWith = async (options: ConfigCenterConfig) => {
      await using config = createConfigCenter(away, options);
      const next = t.manager({ ...place, config, defaults: DEFAULTS, snapshotFile, ...SOON });
      await next.start();
      const found = [next.current.host, next.status.source, String(next.status.lastError)];
      await next.stop();
      return found;
    };
    // Another key is current by now; the old one is still there.
    const [kept, from] = await startWith({ encryption: { keys, current: 'today' } });
    expect([kept, from]).toEqual(['secret-host', 'snapshot']);
    for (const encryption of [undefined, { keys: { today: keys.today }, current: 'today' }]) {
      const [host, source, error] = await startWith({ encryption });
      expect([host, source]).toEqual([DEFAULTS.host, 'default']);
      expect(error).toMatch(/encrypted with the key "old"/);
    }
    await proxy.close();
  });

  it('does not bring back a deleted value', async () => {
    const place = t.place();
    const snapshotFile = await t.file();
    await t.config.set(place.key, { port: 1 });
    const manager = t.manager({ ...place, defaults: DEFAULTS, snapshotFile });
    await manager.start();
    await t.config.delete(place.key);
    await eventually(() => manager.status.absent);
    await manager.stop();
    const { config, disconnect } = await t.behindProxy();
    await disconnect();
    const next = t.manager({ ...place, config, defaults: DEFAULTS, snapshotFile, ...SOON });
    await next.start();
    expect(next.status).toMatchObject({ source: 'default', version: 0 });
  });

  it.each([
    ['rubbish', 'rubbish'],
    ['empty', ''],
    [
      'of another key',
      '{"format":1,"key":"other","contentType":"json","version":1,"revision":"1"}\n{"port":5}',
    ],
    ['hostile', null],
    ['no longer valid', null],
  ])('that is %s is not used, and said so', async (name, content) => {
    const place = t.place();
    const snapshotFile = await t.file();
    const value = name === 'hostile' ? '{"__proto__":{"port":1}}' : '{"port":"x"}';
    const own = `{"format":1,"key":"${place.key}","contentType":"json","version":1,"revision":"1"}\n${value}`;
    await writeFile(snapshotFile, content ?? own);
    const { config, disconnect } = await t.behindProxy();
    await disconnect();
    const schema = z.object({ port: z.number(), host: z.string() });
    const manager = t.manager({ ...place, config, defaults: DEFAULTS, schema, snapshotFile, ...SOON });
    await manager.start();
    expect(manager.current).toEqual(DEFAULTS);
    expect(manager.status).toMatchObject({ state: 'degraded', source: 'default' });
    expect(manager.status.lastError).toBeDefined();
  });

  it('that an updater fails on is tried again, though what etcd has is refused', async () => {
    const place = t.place();
    const snapshotFile = await t.file();
    const schema = z.object({ port: z.number(), host: z.string() });
    await t.config.set(place.key, { port: 1 });
    const first = t.manager({ ...place, defaults: DEFAULTS, schema, snapshotFile });
    await first.start();
    await first.stop();
    await t.config.set(place.key, { port: 'x' });
    let failures = 2;
    const manager = t.manager({
      ...place,
      defaults: DEFAULTS,
      schema,
      snapshotFile,
      retryDelaysMs: [1, 1],
      onUpdate: () => {
        if (failures-- > 0) throw new Error('port taken');
      },
    });
    await manager.start();
    await eventually(() => expect(manager.current.port).toBe(1));
    expect(manager.status).toMatchObject({ state: 'degraded', source: 'snapshot', rejected: { version: 2 } });
  });

  it('that cannot be written is reported; the configuration is used all the same', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 1 });
    const manager = t.manager({ ...place, defaults: DEFAULTS, snapshotFile: '/nonexistent/folder/file' });
    await manager.start();
    expect(manager.current.port).toBe(1);
    expect(manager.status).toMatchObject({ state: 'ready', lastError: { code: 'ENOENT' } });
  });
});

/** The folder of a running etcd, from its command line. */
async function dataDirOf({ pid }: EtcdServer): Promise<string> {
  const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  const dir = args.find((arg) => arg.startsWith('--data-dir='));
  if (dir === undefined) throw new Error('etcd has no data folder');
  return dir.slice('--data-dir='.length);
}
