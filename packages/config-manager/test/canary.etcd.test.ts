import { readFile } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { ConflictError, CoordError, NotFoundError } from '@coord/client';
import { describe, expect, it } from 'vitest';
import { isChosen } from '../src/canary-record.js';
import { appliedConfig, type ConfigManagerOptions, getCanary, startCanary } from '../src/index.js';
import { eventually, losingTheAnswer, type Place, useEtcd } from './setup.js';

const t = useEtcd();
const DEFAULTS = { port: 1, host: 'localhost' };
const LATER = { timeoutMs: 20_000 };

function instance(
  { key: _, ...place }: Place,
  name: string,
  options: Partial<Omit<ConfigManagerOptions<typeof DEFAULTS>, keyof Place>> = {},
) {
  return t.manager({ ...place, defaults: DEFAULTS, layers: ['canary'], instance: name, ...options });
}

describe('a canary', () => {
  it('is for some, stays with them, and becomes everybody’s in one step', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 2 });
    const managers = Array.from({ length: 12 }, (_, index) => instance(place, `orders-${index}`));
    await Promise.all(managers.map((manager) => manager.start()));
    const ports = () => managers.map(({ current }) => current.port);
    const canary = await startCanary(t.config, place.key, { port: 3 }, { percent: 0, author: 'ada' });
    const half = await canary.resize({ percent: 50 });
    const chosen = (index: number) => isChosen(half, { instance: `orders-${index}`, labels: {} });
    const first = managers.filter((_, index) => chosen(index));
    await eventually(
      () => expect(ports()).toEqual(managers.map((_, index) => (chosen(index) ? 3 : 2))),
      LATER,
    );
    for (const manager of first) {
      // It stands in for the key's own value, and nobody else sees it.
      expect(manager.explain('port')).toMatchObject({ layer: 'canary', layers: [{ key: canary.id }, {}] });
      expect(manager.current).toEqual({ port: 3, host: 'localhost' });
    }
    expect((await t.client.kv.get(`/config/${place.key}`))?.text()).toBe('{"port":2}');

    // A release for all does not take its place.
    const { version } = await t.config.set(place.key, { port: 4, host: 'new' });
    await Promise.all(managers.map((manager) => manager.waitFor(version, LATER)));
    for (const manager of managers) {
      expect(manager.status.version).toBe(version);
      expect(manager.current).toEqual(
        first.includes(manager) ? { port: 3, host: 'localhost' } : { port: 4, host: 'new' },
      );
    }

    // Who has it keeps it, without so much as a call, until it is everybody's.
    const calls: string[] = [];
    for (const manager of first) manager.subscribe(({ port }) => void calls.push(`${port}`));
    const all = await half.resize({ percent: 100 });
    await eventually(() => expect(new Set(ports())).toEqual(new Set([3])), LATER);
    const promoted = await all.promote({ comment: 'held for a day' });
    await Promise.all(managers.map((manager) => manager.waitFor(promoted, LATER)));
    await eventually(() =>
      expect(managers.every(({ status }) => status.layers[0]?.layer === 'service')).toBe(true),
    );
    expect(ports().every((port) => port === 3)).toBe(true);
    expect(calls).toEqual([]);
    await expect(getCanary(t.config, place.key)).rejects.toThrow(NotFoundError);
    const [newest] = await t.config.getHistory(place.key, { limit: 1 });
    expect(newest).toMatchObject({ version: 3, author: 'ada', comment: 'held for a day' });
  });

  it('by labels, and dropped', async () => {
    const place = t.place();
    const snapshotFile = await t.file();
    await t.config.set(place.key, { port: 2 });
    const eu = instance(place, 'a', { labels: { region: 'eu' }, snapshotFile });
    const us = instance(place, 'b', { labels: { region: 'us' } });
    await Promise.all([eu.start(), us.start()]);
    const canary = await startCanary(t.config, place.key, { port: 3 }, { labels: { region: 'eu' } });
    await eventually(() => expect([eu.current.port, us.current.port]).toEqual([3, 2]), LATER);
    const found = await getCanary(t.config, place.key);
    expect(found).toMatchObject({
      id: canary.id,
      value: { port: 3 },
      labels: { region: 'eu' },
      percent: undefined,
    });
    expect(await readFile(snapshotFile, 'utf8')).toMatch(/\n\{"port":2\}$/); // a trial is no last good value
    expect([await found.drop(), await found.drop()]).toEqual([true, false]);
    await eventually(() => expect(eu.current.port).toBe(2), LATER);
  });

  it('that is refused harms nobody, is told, and may be dropped', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 2 });
    const validate = ({ port }: typeof DEFAULTS) =>
      port < 0 ? [{ path: 'port', message: 'negative' }] : undefined;
    const manager = instance(place, 'a', { validate, announce: true });
    await manager.start();
    const bad = await startCanary(t.config, place.key, { port: -1 }, { percent: 100 });
    await eventually(async () =>
      expect((await appliedConfig(t.config, place.key)).instances).toMatchObject([
        { instance: 'a', state: 'rejected', version: 1, canary: undefined, rejected: { paths: ['port'] } },
      ]),
    );
    expect(manager.current.port).toBe(2);
    await bad.drop();
    const good = await startCanary(t.config, place.key, { port: 3 }, { percent: 100 });
    await eventually(async () =>
      expect((await appliedConfig(t.config, place.key)).instances).toMatchObject([
        { instance: 'a', state: 'applied', version: 1, canary: good.id },
      ]),
    );
    expect(manager.status).toMatchObject({ state: 'ready', rejected: undefined });
  });

  it('is one at a time, and a handle that is out of date changes nothing', async () => {
    const { key } = t.place();
    await t.config.set(key, { port: 2 });
    const canary = await startCanary(t.config, key, { port: 3 }, { percent: 10 });
    await expect(startCanary(t.config, key, { port: 4 }, { percent: 10 })).rejects.toThrow(ConflictError);
    const resized = await canary.resize({ percent: 20 });
    for (const late of [canary.resize({ percent: 30 }), canary.promote()]) {
      await expect(late).rejects.toThrow(/has changed or is over/);
    }
    expect(await canary.drop()).toBe(false);
    expect((await t.config.get(key)).version).toBe(1);
    expect(await resized.promote()).toBe(2);
    await expect(resized.promote()).rejects.toThrow(ConflictError);
    expect(await t.config.get(key)).toMatchObject({ value: { port: 3 }, version: 2, external: false });
  });

  it('is promoted once or not at all, whenever the line is cut', async () => {
    const { key } = t.place();
    const { proxy, config } = await t.behindProxy({ requestTimeoutMs: 10_000 });
    let { version } = await t.config.set(key, { port: 0 });
    for (let round = 1; round <= 15; round++) {
      await startCanary(t.config, key, { port: round }, { percent: 10 });
      const canary = await getCanary(config, key);
      const promoting = canary.promote().catch((error: unknown) => {
        if (CoordError.is(error)) return undefined;
        throw error;
      });
      for (let turns = 0; turns < round; turns++) await turn();
      proxy.cut();
      const promoted = await promoting;
      // What was promoted cannot be dropped any more, and what was dropped never be promoted.
      const left = await getCanary(t.config, key).catch((error: unknown) => {
        if (error instanceof NotFoundError) return undefined;
        throw error;
      });
      const dropped = (await left?.drop()) ?? false;
      const now = await t.config.get(key);
      if (promoted !== undefined) expect([promoted, dropped]).toEqual([version + 1, false]);
      expect(now.version).toBe(dropped ? version : version + 1);
      if (!dropped) expect(now.value).toEqual({ port: round });
      version = now.version;
    }
    expect(version).toBeGreaterThan(1);
  });

  it('is started and resized once, though the answer may be lost', async () => {
    const { key } = t.place();
    await t.config.set(key, { port: 0 });
    const { proxy, config } = await t.behindProxy({ requestTimeoutMs: 20_000 });
    for (let round = 1; round <= 2; round++) {
      const rule = { percent: round };
      const started = await losingTheAnswer(
        proxy,
        () => startCanary(config, key, { port: round }, rule),
        async () => (await getCanary(t.config, key)).percent === round,
      );
      expect((await getCanary(t.config, key)).id).toBe(started.id);
      const resized = await losingTheAnswer(
        proxy,
        () => started.resize({ percent: 50 }),
        async () => (await getCanary(t.config, key)).percent === 50,
      );
      await expect(started.resize({ percent: 60 })).rejects.toThrow(ConflictError);
      expect(await resized.drop()).toBe(true);
    }
  });

  it('leaves the key’s own value behind, also where that was deleted meanwhile and is kept', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 2 });
    const manager = instance(place, 'a', { onDelete: 'keep' });
    await manager.start();
    const canary = await startCanary(t.config, place.key, { port: 3 }, { percent: 100 });
    await eventually(() => expect(manager.current.port).toBe(3));
    await t.config.delete(place.key);
    await eventually(() => expect(manager.status.absent).toBe(true));
    expect(manager.current.port).toBe(3);
    await canary.drop();
    await eventually(() => expect(manager.status.layers.map(({ layer }) => layer)).toEqual(['service']));
    expect(manager.current.port).toBe(2); // as those have it who were not chosen
  });

  it('is refused before anything is written when something about it is wrong', async () => {
    const refused = (key: string, value: unknown, options: unknown, path: string) =>
      expect(startCanary(t.config, key, value, options as never)).rejects.toMatchObject({
        name: 'ValidationError',
        issues: [{ path }],
      });
    const { key } = t.place();
    await refused('a//b', {}, { percent: 1 }, 'key');
    await refused(key, { a: Number.NaN }, { percent: 1 }, 'value.a');
    for (const options of [
      undefined,
      {},
      { percent: 101 },
      { percent: -1 },
      { percent: Number.NaN },
      { percent: '5' },
    ]) {
      await refused(key, {}, options, 'percent');
    }
    for (const labels of [{}, [], 'x', { a: 1 }]) await refused(key, {}, { labels }, 'labels');
    await refused(key, {}, { percent: 1, author: 5 }, 'author');
    await expect(getCanary(t.config, key)).rejects.toThrow(NotFoundError);
    const { key: _, ...place } = t.place();
    expect(() => t.manager({ ...place, defaults: DEFAULTS, labels: { a: 1 } as never })).toThrow(/labels/);
    await t.client.kv.put(`/coord/config/gray/${key}`, 'nonsense');
    await expect(getCanary(t.config, key)).rejects.toThrow(/canary/);
  });
});
