/**
 * What has gone wrong in other config managers (`anchors/config.md` §5), as far as it can happen to this one.
 *
 * | trap                                                       | test                                                   |
 * | ---------------------------------------------------------- | ------------------------------------------------------ |
 * | 1–3, 6, 7 changes lost by a cut, by a compaction           | here                                                   |
 * | 4 a throwing listener ends the watch                       | update: subscribers that fail harm nobody else         |
 * | 9 `start` hangs when the key exists                        | here                                                   |
 * | 10 etcd away at the start; a partial value erases defaults | outage: etcd away at the start; update: lays a partial |
 * | 11 a change between the first read and the watch           | here                                                   |
 * | 12 a bad value over the good one, concurrent listeners     | here; update: that is invalid is refused               |
 * | 12, 17 values in logs and messages                         | here                                                   |
 * | 13 another one than the latest                             | update: of many in a row ends with the last            |
 * | 17 a blanked, half-written or public snapshot; `../`       | here; outage: the snapshot file                        |
 * | 18 a failed listener, and the value goes back              | here                                                   |
 * | 19 a notification is taken as read before it is            | here                                                   |
 * | 20 what comes while an update fails is missed              | here                                                   |
 * | 21 the old is destroyed before the new is built            | here; update: updaters                                 |
 * | 22 a release takes the place of a value for a few          | layers: holds until it is ended, over every version    |
 */
import { open, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createClient } from '@coord/client';
import { createConfigCenter } from '@coord/config';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ConfigManager } from '../src/index.js';
import { collect, eventually, Held, useEtcd } from './setup.js';

const t = useEtcd();
const DEFAULTS = { port: 8080, host: 'localhost' };
const LATER = { timeoutMs: 20_000 };

describe('traps', () => {
  it('1–3, 6, 7: outages with a compaction in each lose neither a change nor a deletion', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 0 });
    const { proxy, config, disconnect } = await t.behindProxy();
    const manager = t.manager({ ...place, config, defaults: DEFAULTS });
    await manager.start();
    for (let round = 1; round <= 4; round++) {
      await disconnect();
      await eventually(() => manager.status.stale, LATER);
      await t.config.set(place.key, { port: round });
      if (round % 2 === 0) await t.config.delete(place.key);
      await t.client.kv.put('/elsewhere', String(round));
      await t.etcd.compact();
      await proxy.accept();
      const absent = round % 2 === 0;
      await eventually(() => !manager.status.stale && manager.status.absent === absent, LATER);
      if (!absent) await eventually(() => expect(manager.current.port).toBe(round), LATER);
    }
  });

  it('9: start ends although the key exists, and although the first update calls the manager', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 1 });
    const called: string[] = [];
    const manager: ConfigManager<typeof DEFAULTS> = t.manager({
      ...place,
      defaults: DEFAULTS,
      validate: () => void called.push(manager.status.state),
      onUpdate: async () => {
        called.push(String(manager.current.port));
        await manager.reload();
      },
    });
    await manager.start();
    expect(manager.current.port).toBe(1);
    expect(called).toEqual(expect.arrayContaining(['starting', '8080']));
  });

  it('11: a change while the manager starts is not missed', async () => {
    for (let round = 0; round < 15; round++) {
      const place = t.place();
      await t.config.set(place.key, { port: 1 });
      const manager = t.manager({ ...place, defaults: DEFAULTS });
      const starting = manager.start();
      let version = 0;
      for (let port = 2; port <= 4; port++) version = (await t.config.set(place.key, { port })).version;
      await starting;
      expect((await manager.waitFor(version, LATER)).port).toBe(4);
    }
  });

  it('12: what cannot be parsed never replaces the good value, and updates never overlap', async () => {
    const place = t.place();
    let running = 0;
    const seen: [number, number][] = [];
    const manager = t.manager({
      ...place,
      defaults: DEFAULTS,
      onUpdate: async (next) => {
        seen.push([++running, next.port]);
        await t.client.kv.get('/elsewhere');
        running--;
      },
    });
    await manager.start();
    const raw = `/config/${place.key}`;
    for (let port = 1; port <= 20; port++) {
      await t.client.kv.put(raw, `{"port":${port}}`);
      await t.client.kv.put(raw, `{"port":${port}`);
    }
    const { version } = await t.config.set(place.key, { port: 21 });
    await manager.waitFor(version, LATER);
    expect(seen.every(([overlapping]) => overlapping === 1)).toBe(true);
    const ports = seen.map(([, port]) => port);
    expect(ports).toEqual([...ports].sort((a, b) => a - b));
    expect(manager.status).toMatchObject({ state: 'ready', rejected: undefined });
  });

  it('12, 17: neither the log nor what start says of a bad snapshot holds a value', async () => {
    const secret = 'correct-horse-battery';
    const lines: unknown[] = [];
    const log = (...args: unknown[]) => void lines.push(args);
    const logger = { error: log, warn: log, info: log, debug: log };
    const client = createClient({ ...t.etcd.connectOptions, logger, logLevel: 'debug' });
    const config = createConfigCenter(client);
    const place = t.place();
    const snapshotFile = await t.file();
    await writeFile(snapshotFile, `{"password":"${secret}"}`);
    const schema = z.object({ password: z.string(), kind: z.enum(['schema', 'validate', 'update', 'good']) });
    const quote = (next: { password: string }) => new Error(`bad password ${next.password}`);
    const manager = t.manager({
      ...place,
      config,
      defaults: { password: 'none', kind: 'good' },
      schema,
      snapshotFile,
      retryDelaysMs: [],
      validate: (next) => {
        if (next.kind === 'validate') throw quote(next);
      },
      onUpdate: (next) => {
        if (next.kind === 'update') throw quote(next);
      },
    });
    await t.config.set(place.key, { password: { nested: secret } });
    await manager.start();
    expect(manager.status.lastError).toBeDefined();
    expect(String(manager.status.lastError)).not.toContain(secret);
    for (const kind of [secret, 'validate', 'update']) {
      const { version } = await t.config.set(place.key, { password: secret, kind });
      await expect(manager.waitFor(version)).rejects.toThrow();
    }
    await t.client.kv.put(`/config/${place.key}`, secret);
    await eventually(() => manager.status.rejected?.phase === 'merge');
    const { version } = await t.config.set(place.key, { password: secret, kind: 'good' });
    await manager.waitFor(version);
    await manager.stop();
    await config.close();
    await client.close();
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.filter((line) => JSON.stringify(line, withErrors)?.includes(secret))).toEqual([]);
  });

  it('17: names lead nowhere else, and the snapshot is only emptied by a deletion', async () => {
    const place = t.place();
    for (const service of ['..', '../x', 'a/../b', '.', 'a\0b', '']) {
      expect(() => t.manager({ ...place, service, defaults: DEFAULTS })).toThrow(/service/);
    }
    const snapshotFile = await t.file();
    await t.config.set(place.key, { port: 1 });
    const { proxy, config, disconnect } = await t.behindProxy();
    const manager = t.manager({ ...place, config, defaults: DEFAULTS, snapshotFile });
    await manager.start();
    const good = await readFile(snapshotFile, 'utf8');
    await using before = await open(snapshotFile);
    await disconnect();
    await eventually(() => manager.status.stale, LATER);
    await proxy.accept();
    await eventually(() => !manager.status.stale, LATER);
    await t.client.kv.put(`/config/${place.key}`, 'unusable');
    await eventually(() => manager.status.rejected !== undefined, LATER);
    expect(await readFile(snapshotFile, 'utf8')).toBe(good);
    await t.config.set(place.key, { port: 2 });
    await eventually(() => expect(manager.current.port).toBe(2), LATER);
    await manager.stop();
    expect(await readFile(snapshotFile, 'utf8')).toContain('{"port":2}');
    expect(await before.readFile('utf8')).toBe(good); // another file is in its place: the old one was not written over
  });

  it('18: an update fails, and the value goes back: no notification is lost', async () => {
    const place = t.place();
    let broken = true;
    const told: number[] = [];
    const manager = t.manager({
      ...place,
      defaults: DEFAULTS,
      retryDelaysMs: [],
      onUpdate: (next) => {
        if (broken && next.port === 2) throw new Error('broken');
      },
    });
    await t.config.set(place.key, { port: 1 });
    await manager.start();
    manager.subscribe((next) => {
      told.push(next.port);
      if (next.port === 3) throw new Error('listener');
    });
    const { types } = collect(manager.events());
    const set = async (port: number) => {
      const { version } = await t.config.set(place.key, { port });
      await manager.waitFor(version, LATER).catch(() => undefined);
    };
    await set(2);
    await set(1);
    await eventually(() => expect(types()).toEqual(['rejected', 'recovered']));
    broken = false;
    for (const port of [2, 3, 2]) await set(port);
    await eventually(() => expect(told).toEqual([2, 3, 2]));
    expect(manager.status).toMatchObject({ state: 'ready', version: 6 });
  });

  it('19: a change that was seen, and could not be read up at once, is read when etcd answers', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 1 });
    const { proxy, config } = await t.behindProxy();
    const manager = t.manager({ ...place, config, defaults: DEFAULTS });
    await manager.start();
    await eventually(() => !manager.status.stale, LATER);
    proxy.blackhole('toServer'); // the event comes, the question for its record does not arrive
    const { version } = await t.config.set(place.key, { port: 2 });
    await expect(config.get(place.key)).rejects.toThrow();
    expect(manager.current.port).toBe(1);
    proxy.heal();
    await manager.waitFor(version, LATER);
    expect(manager.current.port).toBe(2);
    expect(manager.status).toMatchObject({ version, rejected: undefined });
  });

  it('20: what comes while an update fails is taken, also through an outage', async () => {
    const place = t.place();
    const { proxy, config, disconnect } = await t.behindProxy();
    const held = new Held();
    const manager = t.manager({
      ...place,
      config,
      defaults: DEFAULTS,
      onUpdate: async (next) => {
        if (next.port !== 1) return;
        await held.wait();
        throw new Error('broken');
      },
    });
    await manager.start();
    await t.config.set(place.key, { port: 1 });
    await eventually(() => held.waiting === 1, LATER);
    await disconnect();
    await t.config.set(place.key, { port: 2 });
    const { version } = await t.config.set(place.key, { port: 3 });
    held.letGo();
    await eventually(() => manager.status.rejected?.phase === 'update', LATER);
    await proxy.accept();
    await manager.waitFor(version, LATER);
    expect(manager.current.port).toBe(3);
    expect(manager.status.rejected).toBeUndefined();
  });

  it('21: the old serves until the new does', async () => {
    const place = t.place();
    const listen = (port: number) =>
      new Promise<Server>((resolve, reject) => {
        const server = createServer((_request, response) => response.end('ok')).once('error', reject);
        server.listen(port, '127.0.0.1', () => resolve(server));
      });
    const portOf = (server: Server) => {
      const address = server.address();
      return typeof address === 'object' && address !== null ? address.port : 0;
    };
    const taken = await listen(0);
    let server: Server | undefined;
    let next: Server | undefined;
    const manager = t.manager({
      ...place,
      defaults: { port: 0, name: '' },
      retryDelaysMs: [],
      onUpdate: {
        async prepare({ port }) {
          next = await listen(port);
        },
        commit() {
          server?.close();
          server = next;
        },
      },
    });
    await manager.start();
    const answers = async () =>
      (
        await fetch(`http://127.0.0.1:${server && portOf(server)}`, { headers: { connection: 'close' } })
      ).text();
    const first = await t.config.set(place.key, { port: 0, name: 'a' });
    await manager.waitFor(first.version, LATER);
    expect(await answers()).toBe('ok');
    const bad = await t.config.set(place.key, { port: portOf(taken) });
    await expect(manager.waitFor(bad.version, LATER)).rejects.toThrow(/EADDRINUSE/);
    expect(await answers()).toBe('ok');
    server?.close();
    taken.close();
  });
});

/** Errors have no enumerable fields of their own. */
function withErrors(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Error
    ? { ...value, message: value.message, stack: value.stack, cause: value.cause }
    : value;
}
