import { ClosedError } from '@coord/client';
import { describe, expect, it } from 'vitest';
import type { ConfigManager } from '../src/index.js';
import { collect, eventually, Held, useEtcd } from './setup.js';

const t = useEtcd();
const DEFAULTS = { port: 8080, host: 'localhost' };

describe('reload and stop', () => {
  it('reload resolves when what etcd has is in use', async () => {
    const place = t.place();
    const manager = t.manager({ ...place, defaults: DEFAULTS });
    await expect(manager.reload()).rejects.toMatchObject({ name: 'ClosedError' });
    await manager.start();
    for (let port = 1; port <= 10; port++) {
      await t.config.set(place.key, { port });
      await manager.reload();
      expect(manager.current.port).toBe(port);
    }
    await t.config.delete(place.key);
    await manager.reload();
    expect(manager.status.absent).toBe(true);
  });

  it('stop waits for the running update and takes it back; nothing is called afterwards', async () => {
    const place = t.place();
    const log: string[] = [];
    let finish = () => {};
    const manager = t.manager({
      ...place,
      defaults: DEFAULTS,
      onUpdate: {
        prepare: (_next, _previous, { signal }) =>
          new Promise<void>((resolve) => {
            log.push('prepare');
            signal.addEventListener('abort', () => log.push('told'));
            finish = resolve;
          }),
        rollback: () => void log.push('rollback'),
        commit: () => void log.push('commit'),
      },
    });
    await manager.start();
    manager.subscribe(() => void log.push('subscriber'));
    const events = collect(manager.events());
    await t.config.set(place.key, { port: 1 });
    await eventually(() => expect(log).toEqual(['prepare']));
    let stopped = false;
    const stopping = manager.stop().then(() => {
      stopped = true;
    });
    await eventually(() => expect(log).toEqual(['prepare', 'told']));
    expect([stopped, manager.status.state]).toEqual([false, 'stopping']);
    finish();
    await stopping;
    await manager.stop();
    await events.done;
    await t.config.set(place.key, { port: 2 });
    expect(log).toEqual(['prepare', 'told', 'rollback']);
    expect(manager.current.port).toBe(8080);
    expect(events.seen.at(-1)).toEqual({ type: 'state', state: 'stopped' });
  });

  it('stop waits for the check of the defaults, which never replaces what a later start has applied', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 2 });
    let calls = 0;
    let letGo = () => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const manager = t.manager({
      ...place,
      defaults: { port: 1 },
      validate: [() => (++calls === 1 ? held : undefined), () => void calls++],
    });
    const starting = manager.start();
    starting.catch(() => undefined);
    await eventually(() => calls === 1);
    const stopping = manager.stop();
    setTimeout(letGo, 50);
    await stopping;
    const callsAtStop = calls;
    await expect(starting).rejects.toThrow(ClosedError);
    expect(calls).toBe(callsAtStop);
    await manager.start();
    expect(manager.current).toEqual({ port: 2 });
  });

  it('stop while a value is being checked: no updater is called for it any more', async () => {
    const place = t.place();
    const held = new Held();
    const log: string[] = [];
    const manager = t.manager({
      ...place,
      defaults: DEFAULTS,
      validate: (next) => (next.port === 1 ? held.wait() : undefined),
      onUpdate: () => void log.push('prepare'),
    });
    await manager.start();
    await t.config.set(place.key, { port: 1 });
    await eventually(() => held.waiting === 1);
    const stopping = manager.stop();
    held.letGo();
    await stopping;
    expect([log, manager.current.port]).toEqual([[], 8080]);
  });

  it('stop ends events() also of a manager that does not run', async () => {
    const manager = t.manager({ ...t.place(), defaults: DEFAULTS });
    const { done } = collect(manager.events());
    await manager.stop();
    await done;
  });

  it('start works again after stop, from where it was', async () => {
    const place = t.place();
    const manager = t.manager({ ...place, defaults: DEFAULTS });
    await manager.start();
    await t.config.set(place.key, { port: 1 });
    await eventually(() => manager.current.port === 1);
    await manager.stop();
    expect(manager.status).toMatchObject({ state: 'stopped', stale: true });
    await t.config.set(place.key, { port: 2 });
    await manager.start();
    expect(manager.current.port).toBe(2);
    const restarted = Promise.all([manager.stop(), manager.start()]);
    await restarted;
    await t.config.set(place.key, { port: 3 });
    await eventually(() => manager.current.port === 3);
  });

  it('stop may be called from within an update', async () => {
    const place = t.place();
    const manager: ConfigManager<typeof DEFAULTS> = t.manager({
      ...place,
      defaults: DEFAULTS,
      onUpdate: () => manager.stop(),
    });
    await manager.start();
    await t.config.set(place.key, { port: 1 });
    await eventually(() => manager.status.state === 'stopped');
    expect(manager.current.port).toBe(8080);
  });
});

describe('waitFor', () => {
  it('resolves when the version is in use, with the configuration', async () => {
    const place = t.place();
    const held = new Held();
    const manager = t.manager({ ...place, defaults: DEFAULTS, onUpdate: { prepare: () => held.wait() } });
    await manager.start();
    const { version } = await t.config.set(place.key, { port: 1 });
    let done = false;
    const waiting = manager.waitFor(version).finally(() => {
      done = true;
    });
    await eventually(() => held.waiting === 1);
    expect(done).toBe(false);
    held.letGo();
    expect((await waiting).port).toBe(1);
    expect(manager.current.port).toBe(1);
    expect((await manager.waitFor(version)).port).toBe(1);
  });

  it('rejects when the version is refused, and when it is no version', async () => {
    const place = t.place();
    const validate = (next: typeof DEFAULTS) =>
      next.port < 0 ? [{ path: 'port', message: 'negative' }] : undefined;
    const manager = t.manager({ ...place, defaults: DEFAULTS, validate });
    await manager.start();
    await t.config.set(place.key, { port: 1 });
    const { version } = await t.config.set(place.key, { port: -1 });
    await expect(manager.waitFor(version)).rejects.toMatchObject({
      name: 'ValidationError',
      issues: [{ path: 'port', message: 'negative' }],
    });
    const next = manager.waitFor(version + 1);
    await t.config.set(place.key, { port: 3 });
    expect((await next).port).toBe(3);
    for (const bad of [0, 1.5, '1', undefined]) {
      await expect(manager.waitFor(bad as never)).rejects.toMatchObject({ issues: [{ path: 'version' }] });
    }
  });

  it('waits while an updater is tried again, and rejects when that has come to its end', async () => {
    const place = t.place();
    let failures = 1;
    const manager = t.manager({
      ...place,
      defaults: DEFAULTS,
      retryDelaysMs: [10, 10],
      onUpdate: () => {
        if (failures-- > 0) throw new Error('port taken');
      },
    });
    await manager.start();
    const first = await t.config.set(place.key, { port: 1 });
    expect((await manager.waitFor(first.version)).port).toBe(1);
    failures = 3;
    const second = await t.config.set(place.key, { port: 2 });
    await expect(manager.waitFor(second.version)).rejects.toThrow('port taken');
    expect([failures, manager.status.rejected?.retrying]).toEqual([0, false]);
  });

  it('resolves for a version that deleted the key', async () => {
    const place = t.place();
    await t.config.set(place.key, { port: 1 });
    const manager = t.manager({ ...place, defaults: DEFAULTS, onDelete: 'default' });
    await manager.start();
    const deleted = manager.waitFor(2);
    await t.config.delete(place.key);
    expect(await deleted).toEqual(DEFAULTS);
    expect(manager.status.absent).toBe(true);
  });

  it('ends with the manager, the signal or the time', async () => {
    const manager = t.manager({ ...t.place(), defaults: DEFAULTS });
    await expect(manager.waitFor(1)).rejects.toThrow(ClosedError);
    await manager.start();
    await expect(manager.waitFor(1, { timeoutMs: 5 })).rejects.toMatchObject({ name: 'TimeoutError' });
    const controller = new AbortController();
    const aborted = manager.waitFor(1, { signal: controller.signal });
    const closed = manager.waitFor(1);
    closed.catch(() => undefined);
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ name: 'AbortedError' });
    await manager.stop();
    await expect(closed).rejects.toThrow(ClosedError);
  });
});
