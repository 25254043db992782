/** Services without instances, instances that die, and an etcd that does. */
import { TimeoutError } from '@coord/client';
import { eventually } from '@coord/testkit';
import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
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

describe('an etcd that is away', () => {
  it('does not stop calls, and is not needed by connections that know their service', async () => {
    const service = stage.unique();
    const { registration } = await stage.serve(service, 'a');
    await stage.serve(service, 'b');
    const { whos } = await stage.connectTo(service);
    await reachesAll(whos, 'a', 'b');
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
    await reachesAll(late, 'a', 'b');
    const { whos: unknown } = await stage.connectTo(stage.unique(), { patienceMs: 200 });
    await expect(who(unknown)).rejects.toMatchObject({
      code: grpc.status.UNAVAILABLE,
      details: expect.stringContaining('could not be read from etcd'),
    });
    await stage.etcd.restart();
    await stage.serve(service, 'c');
    for (const each of [whos, late]) await reachesAll(each, 'a', 'b', 'c');
  });
});
