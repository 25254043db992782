/** Services without instances, instances that die, and an etcd that does. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, TimeoutError } from '@coord/client';
import { createRegistry } from '@coord/registry';
import { eventually } from '@coord/testkit';
import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { setServiceConfig } from '../src/index.js';
import { reachesAll, useStage } from './service-stage.js';
import { tally, who } from './who-service.js';

const stage = useStage();

describe('a service without instances', () => {
  it('fails calls as UNAVAILABLE, neither hanging nor spinning, until one comes', async () => {
    const service = stage.unique();
    const { connection, whos } = await stage.connectTo(service);
    const failures = await tally(whos, 5);
    expect(failures).toEqual({ answers: {}, errors: { UNAVAILABLE: 5 } });
    await expect(connection.waitForReady({ timeoutMs: 300 })).rejects.toBeInstanceOf(TimeoutError);
    await stage.serve(service, 'a');
    await reachesAll(whos, 'a');
  });
});

describe('retry', () => {
  it('is off unless asked for, and then hides a lost instance', async () => {
    const service = stage.unique();
    const a = await stage.serve(service, 'a');
    await stage.serve(service, 'b');
    const { whos } = await stage.connectTo(service, { retry: true });
    await reachesAll(whos, 'a', 'b');
    a.server.kill();
    const { answers, errors } = await tally(whos, 100);
    expect(errors.UNAVAILABLE ?? 0).toBe(0);
    expect(answers.b).toBeGreaterThanOrEqual(99);
  });
});

describe('a service that empties', () => {
  const EMPTY = { errors: { UNAVAILABLE: 10 }, answers: {} };

  it.each(['round_robin', 'pick_first', 'least_conn'] as const)(
    'is believed when its instances have said goodbye, under %s',
    async (strategy) => {
      const service = stage.unique();
      const both = [await stage.serve(service, 'a'), await stage.serve(service, 'b')];
      const { whos } = await stage.connectTo(service, { strategy });
      await eventually(async () => expect((await tally(whos, 4)).errors).toEqual({}));
      for (const { registration } of both) await registration.deregister();
      await eventually(async () => expect(await tally(whos, 10)).toEqual(EMPTY));
      await expect(who(whos)).rejects.toThrow(/there is no healthy instance to call/);
      await stage.serve(service, 'c');
      await reachesAll(whos, 'c');
    },
  );

  it('is called on for a while when its instances have vanished without a word', async () => {
    const service = stage.unique();
    const patient = createRegistry(stage.client, { keyPrefix: '/patient', emptyHoldMs: 600_000 });
    const hasty = createRegistry(stage.client, { keyPrefix: '/patient', emptyHoldMs: 1 });
    await stage.serve(service, 'a', patient);
    const { whos } = await stage.connectTo(service, {}, patient);
    const { whos: hastyWhos } = await stage.connectTo(service, {}, hasty);
    for (const each of [whos, hastyWhos]) await reachesAll(each, 'a');
    // As when leases run out while etcd, or the network, is in trouble.
    await stage.client.kv.delete(`/patient/${service}/a`);
    await eventually(async () => expect(await tally(hastyWhos, 10)).toEqual(EMPTY));
    expect(await patient.discover(service, { consistency: 'linearizable' })).toEqual([]);
    expect(await tally(whos, 10)).toEqual({ answers: { a: 10 }, errors: {} });
  });
});

describe('an etcd that is away', () => {
  it('does not stop calls, and is not needed by connections that know their service', async () => {
    const service = stage.unique();
    const { registration } = await stage.serve(service, 'a');
    await stage.serve(service, 'b');
    const { whos } = await stage.connectTo(service);
    await reachesAll(whos, 'a', 'b');
    // Knows the service, but has never asked for its service config.
    const listed = createRegistry(stage.client);
    await listed.discover(service);
    await stage.etcd.kill();
    // Longer than the instances' lease: by now their owner has lost it.
    await eventually(
      async () => {
        expect((await tally(whos, 20)).errors).toEqual({});
        expect(registration.state).toBe('recovering');
      },
      { timeoutMs: 20_000, intervalMs: 100 },
    );
    const { whos: late } = await stage.connectTo(service);
    const { whos: withoutConfig } = await stage.connectTo(service, {}, listed);
    for (const each of [late, withoutConfig]) await reachesAll(each, 'a', 'b');

    await expect(setServiceConfig(stage.registry, service, {}, { timeoutMs: 300 })).rejects.toMatchObject({
      outcome: expect.stringMatching(/not-applied|unknown/),
    });

    // Began when etcd was away already: that is no reason to stay without instances for ever.
    const client = createClient(stage.etcd.connectOptions);
    stage.cleanLater(() => client.close());
    const unknowing = [stage.registry, createRegistry(client)].map(async (registry) => {
      const lost = stage.unique();
      const { whos } = await stage.connectTo(lost, { patienceMs: 200 }, registry);
      await expect(who(whos)).rejects.toMatchObject({
        code: grpc.status.UNAVAILABLE,
        details: expect.stringContaining('could not be read from etcd'),
      });
      return { lost, whos };
    });
    const lost = await Promise.all(unknowing);
    await stage.etcd.restart();
    await stage.serve(service, 'c');
    for (const each of [whos, late, withoutConfig]) await reachesAll(each, 'a', 'b', 'c');
    for (const each of lost) {
      await stage.serve(each.lost, 'found');
      await reachesAll(each.whos, 'found');
    }
  });

  it('is not needed by a process that starts with a snapshot: instances and service config', async () => {
    const service = stage.unique();
    const snapshotDirectory = await mkdtemp(join(tmpdir(), 'coord-resolver-'));
    stage.cleanLater(() => rm(snapshotDirectory, { recursive: true, force: true }));
    await stage.serve(service, 'a');
    const b = await stage.serve(service, 'b');
    const { revision } = await setServiceConfig(stage.registry, service, {
      methodConfig: [{ name: [{}], hedgingPolicy: { maxAttempts: 3, nonFatalStatusCodes: ['UNAVAILABLE'] } }],
    });
    const before = createRegistry(stage.client, { snapshotDirectory });
    const { connection } = await stage.connectTo(service, {}, before);
    await connection.waitForReady({ timeoutMs: 20_000 });
    expect(connection.serviceConfig.storedRevision).toBe(revision);
    await eventually(() => expect(before.status(service)).toMatchObject({ instances: 2 }));
    await before.close(); // writes what it knows

    await stage.etcd.kill();
    b.server.refuse();
    const client = createClient(stage.etcd.connectOptions);
    stage.cleanLater(() => client.close());
    const cold = createRegistry(client, { snapshotDirectory });
    const { connection: late, whos } = await stage.connectTo(service, {}, cold);
    expect(await tally(whos, 20)).toEqual({ answers: { a: 20 }, errors: {} });
    expect(cold.status(service)?.source).toBe('disk');
    expect(late.serviceConfig.storedRevision).toBe(revision);
    await stage.etcd.restart();
  });
});
