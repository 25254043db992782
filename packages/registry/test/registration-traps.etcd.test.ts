/** What has gone wrong in other registries, each by itself. */
import { AbortedError, ConflictError, type CoordClient, connect, NotFoundError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry } from '../src/index.js';

const PATIENT = { timeoutMs: 30_000 };
let etcd: EtcdServer;
let client: CoordClient;
let other: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd({ auth: true });
  client = await connect(etcd.connectOptions);
  other = await connect(etcd.connectOptions);
});

afterAll(async () => {
  await Promise.all([client?.close(), other?.close()]);
  await etcd?.stop();
});

const instance = (name: string, id: string) => ({ name, id, address: '10.0.0.1', port: 80 });

async function revokeLeaseOf(key: string): Promise<bigint | undefined> {
  const leaseId = (await other.kv.get(key))?.leaseId;
  await other.etcd3.leaseClient.leaseRevoke({ ID: String(leaseId) });
  return leaseId;
}

describe('a user whose login is not valid any more', () => {
  // go-zero#5707: the token had run out, and the registration never came back.
  it('is registered again when the lease is lost after that', async () => {
    const registry = createRegistry(client);
    const registration = await registry.register(instance('login', 'a'));
    const states: string[] = [];
    registration.subscribe((state) => states.push(state));
    await etcd.kill();
    await etcd.restart(); // simple tokens live in etcd's memory
    const before = await revokeLeaseOf('/services/login/a');
    await eventually(async () => {
      const kv = await other.kv.get('/services/login/a');
      expect(kv?.leaseId).toBeGreaterThan(0n);
      expect(kv?.leaseId).not.toBe(before);
    }, PATIENT);
    await eventually(() => expect(registration.state).toBe('registered'), PATIENT);
    expect(states).toEqual(['recovering', 'registered']);
    await registry.close();
  });
});

describe('names of which one begins with another', () => {
  // kratos asked for "user" without a slash, and got "user-admin", too.
  it('are strangers to each other', async () => {
    const registry = createRegistry(client);
    const names = ['user', 'user-admin', 'use', 'user.v2'];
    await Promise.all(names.map((name) => registry.register(instance(name, `${name}-1`))));
    await createRegistry(other).deregister('user', 'user');
    await createRegistry(other).deregister('use', 'r');
    await registry.updateHealth('user', 'user-1', 'maintenance');
    for (const name of names) {
      const [only, ...rest] = await registry.discover(name, { health: 'any' });
      expect(rest).toEqual([]);
      expect(only).toMatchObject({ name, health: name === 'user' ? 'maintenance' : 'healthy' });
    }
    await expect(createRegistry(other).unregister('user')).resolves.toBeUndefined();
    expect(await registry.listServices()).toEqual([...names].sort());
    await registry.deregister('user', 'user-1');
    expect(await registry.listServices()).toEqual(['use', 'user-admin', 'user.v2']);
    await registry.close();
  });
});

describe('a key without a lease', () => {
  // go-zero#5545: a status written without the lease made the key immortal.
  it('never comes of an update of the health, not even when the lease ends at that moment', async () => {
    const registry = createRegistry(client);
    const registration = await registry.register(instance('immortal', 'a'));
    const key = '/services/immortal/a';
    const leaseIds = new Set<bigint>();
    const watch = other.watch(key);
    await watch.ready;
    const seen = (async () => {
      for await (const { events } of watch) {
        for (const { type, kv } of events) if (type === 'put') leaseIds.add(kv.leaseId);
      }
    })();
    for (let round = 0; round < 5; round++) {
      const leaseId = await revokeLeaseOf(key);
      const foreign = createRegistry(other)
        .updateHealth('immortal', 'a', 'maintenance')
        .catch((error) => expect(error).toBeInstanceOf(NotFoundError));
      await Promise.all([foreign, registration.updateHealth('unhealthy', PATIENT)]);
      await registration.updateHealth('healthy', PATIENT);
      await eventually(async () => expect((await other.kv.get(key))?.leaseId).not.toBe(leaseId), PATIENT);
      await eventually(async () => expect(await other.kv.get(key)).toBeDefined(), PATIENT);
    }
    await registration.deregister();
    expect(await other.kv.get(key)).toBeUndefined();
    await watch.close();
    await seen;
    expect(leaseIds.size).toBeGreaterThanOrEqual(5);
    expect(leaseIds.has(0n)).toBe(false);
    await registry.close();
  });
});

describe('a registration that is told several things at once', () => {
  it.each([
    ['deregister', 'drain', 'updateHealth'],
    ['drain', 'updateHealth', 'deregister'],
    ['updateHealth', 'deregister', 'drain'],
  ] as const)('ends in good order: %s, %s, %s, while its lease ends', async (...calls) => {
    const registry = createRegistry(client);
    const registration = await registry.register(instance('at-once', 'a'));
    const revoked = revokeLeaseOf('/services/at-once/a');
    const outcomes = calls.map((call) => {
      if (call === 'updateHealth') {
        return registration.updateHealth('unhealthy', PATIENT).catch((error) => {
          expect(error).toBeInstanceOf(NotFoundError);
        });
      }
      if (call === 'drain') return registration.drain({ ...PATIENT, waitMs: 0 });
      return registration.deregister(PATIENT);
    });
    await Promise.all(outcomes);
    await revoked;
    expect(registration.state).toBe('deregistered');
    expect(await other.kv.get('/services/at-once/a')).toBeUndefined();
    await registry.close();
  });

  it('belongs to the last of many that register one id at the same time, and to one only', async () => {
    const registries = Array.from({ length: 8 }, (_, i) => createRegistry(i % 2 ? client : other));
    const all = await Promise.all(
      registries.map((registry, i) =>
        registry.register({ ...instance('crowded', 'a'), port: i + 1 }, PATIENT),
      ),
    );
    await eventually(
      () => expect(all.filter(({ state }) => state === 'superseded')).toHaveLength(all.length - 1),
      PATIENT,
    );
    const [winner] = all.filter(({ state }) => state === 'registered');
    const stored = Object((await other.kv.get('/services/crowded/a'))?.json());
    expect(stored.port).toBe(winner?.service.port);
    const losers = all.filter((each) => each !== winner);
    await Promise.all(losers.map((each) => each.drain({ waitMs: 0 })));
    await expect(losers[0]?.updateHealth('unhealthy')).rejects.toBeInstanceOf(ConflictError);
    expect(await other.kv.get('/services/crowded/a')).toBeDefined();
    await Promise.all(registries.map((registry) => registry.close()));
    expect(await other.kv.get('/services/crowded/a')).toBeUndefined();
  });
});

describe('a registration that was aborted before it began', () => {
  it('is not taken for an own one: the id goes on to mean the instance of another', async () => {
    const registry = createRegistry(client);
    const owner = createRegistry(other);
    const registration = await owner.register(instance('early', 'a'));
    const aborted = registry.register(instance('early', 'a'), { signal: AbortSignal.abort() });
    await expect(aborted).rejects.toBeInstanceOf(AbortedError);
    await registry.deregister('early', 'a');
    await eventually(() => expect(registration.state).toBe('deregistered'), PATIENT);
    await Promise.all([registry.close(), owner.close()]);
  });
});
