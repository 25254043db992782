import { eventually } from '@coord/testkit';
import { SpanStatusCode, trace } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { observedStage, VALUE } from './observed-stage.js';

const stage = await observedStage();

describe('locks', () => {
  const points = async (name: string) =>
    Object.fromEntries(
      (await stage.sdk.points(name)).map(({ attributes, value }) => [
        Object.values(attributes).join(' '),
        value,
      ]),
    );

  it('each operation is traced, measured and logged once, with key, outcome and duration', async () => {
    const { lock } = await stage.observed();
    const held = await lock.acquire('tele/a');
    await expect(lock.tryAcquire('tele/a')).rejects.toThrow();
    await expect(lock.acquire('tele/a', { timeoutMs: 100 })).rejects.toThrow();
    await held.renew();
    await lock.inspect('tele/a');
    await lock.list();
    await held.release();
    await expect(lock.forceRelease('tele/a', 1n)).rejects.toThrow();
    const entry = await lock.acquireReentrant('tele/a', { owner: 'me' });
    await entry.release();
    const reading = await lock.acquireReadLock('tele/a');
    const writing = await reading.tryUpgrade();
    await (await writing.downgrade()).release();
    await (await lock.tryAcquireWriteLock('tele/a')).release();
    await (await lock.acquireAll(['tele/a', 'tele/b'])).release();
    const semaphore = lock.semaphore('tele/a', { permits: 2 });
    await (await semaphore.acquire(2)).release();
    await semaphore.setPermits(1);
    const told = stage
      .operations()
      .map(({ name, attributes }) =>
        [name.slice('coord.lock.'.length), attributes['coord.lock.kind'], attributes['error.type']]
          .filter(Boolean)
          .join(' '),
      );
    expect(told).toEqual([
      'acquire mutex',
      'tryAcquire mutex COORD_LOCK_CONFLICT',
      'acquire mutex COORD_LOCK_TIMEOUT',
      'renew mutex',
      'inspect',
      'list',
      'release mutex',
      'forceRelease COORD_NOT_FOUND',
      'acquire mutex',
      'acquireReentrant',
      'release mutex',
      'acquire read',
      'tryUpgrade',
      'downgrade',
      'release read',
      'tryAcquire write',
      'release write',
      'acquire multi',
      'release multi',
      'acquire semaphore',
      'release semaphore',
      'setPermits',
    ]);
    expect(await stage.measured()).toMatchObject({
      'lock.acquire COORD_LOCK_TIMEOUT': 1,
      'lock.tryAcquire COORD_LOCK_CONFLICT': 1,
      'lock.renew': 1,
      'lock.setPermits': 1,
    });
    const durationMs = expect.any(Number);
    const acquired = stage.logged('lock acquire').map(({ level, fields }) => ({ level, ...fields }));
    expect(acquired[0]).toEqual({
      level: 'debug',
      key: 'tele/a',
      outcome: 'ok',
      durationMs,
      fencingToken: held.fencingToken.toString(),
    });
    expect(acquired[1]).toEqual({
      level: 'warn',
      key: 'tele/a',
      outcome: 'COORD_LOCK_TIMEOUT',
      durationMs,
      reason: expect.stringContaining('tele/a'),
    });
    expect(stage.logged('lock release')[0]).toMatchObject({
      level: 'debug',
      fields: { key: 'tele/a', outcome: 'ok' },
    });
  });

  it('waiting, holding and contention are measured by kind, each once', async () => {
    const { lock, client } = await stage.observed();
    const first = await lock.acquire('tele/m');
    expect(await points('coord.lock.held')).toEqual({ mutex: 1 });
    const waiting = lock.acquire('tele/m');
    await eventually(async () => expect(await points('coord.lock.waiting')).toEqual({ mutex: 1 }));
    await first.release();
    const second = await waiting;
    await expect(lock.tryAcquire('tele/m')).rejects.toThrow();
    expect(await points('coord.lock.wait.duration')).toEqual({ mutex: 2, 'mutex COORD_LOCK_CONFLICT': 1 });
    expect(await points('coord.lock.contended')).toEqual({ mutex: 2 });
    expect(await points('coord.lock.waiting')).toEqual({ mutex: 0 });
    expect(await points('coord.lock.hold.duration')).toEqual({ 'mutex released': 1 });
    await client.kv.delete(second.etcdKey);
    expect(await second.isHeld()).toBe(false);
    expect(await points('coord.lock.hold.duration')).toEqual({ 'mutex released': 1, 'mutex lost': 1 });
    const read = await lock.acquireReadLock('tele/m');
    const write = await read.tryUpgrade();
    expect(await points('coord.lock.held')).toEqual({ mutex: 0, read: 0, write: 1 });
    await write.release();
    expect(await points('coord.lock.held')).toEqual({ mutex: 0, read: 0, write: 0 });
    expect(await points('coord.lock.hold.duration')).toMatchObject({
      'read converted': 1,
      'write released': 1,
    });
  });

  it('what runs in withLock is below its span, and so are acquisition and release', async () => {
    const { lock } = await stage.observed();
    const tracer = trace.getTracer('app');
    const work = (name: string) =>
      lock.withLock(name, async () => {
        const own = trace.getActiveSpan();
        await new Promise(setImmediate);
        expect(trace.getActiveSpan()).toBe(own);
        await tracer.startActiveSpan(`work on ${name}`, async (span) => {
          await new Promise(setImmediate);
          span.end();
        });
      });
    await tracer.startActiveSpan('request', async (span) => {
      await Promise.all([work('tele/w1'), work('tele/w2'), work('tele/w1')]);
      span.end();
    });
    const request = stage.sdk.named('request')[0];
    const around = stage.sdk.named('coord.lock.withLock');
    expect(around).toHaveLength(3);
    for (const each of around) {
      expect(each.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
      const below = stage
        .operations()
        .filter(({ parentSpanContext }) => parentSpanContext?.spanId === each.spanContext().spanId);
      expect(below.map(({ name }) => name)).toEqual([
        'coord.lock.acquire',
        `work on ${String(each.attributes['coord.key'])}`,
        'coord.lock.release',
      ]);
    }
  });

  it('an error of what runs in withLock is told by its class alone', async () => {
    const { lock } = await stage.observed();
    const failing = lock.withLock('tele/a', () => {
      throw new RangeError(VALUE);
    });
    await expect(failing).rejects.toThrow(VALUE);
    const [span] = stage.sdk.named('coord.lock.withLock');
    expect(span?.attributes['error.type']).toBe('RangeError');
    expect(span?.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(span?.events).toEqual([]);
  });
});
