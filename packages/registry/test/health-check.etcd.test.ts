import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { type CoordClient, connect, ValidationError } from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import * as grpc from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  createRegistry,
  type HealthCheck,
  type HealthCheckFunction,
  type Registration,
  type ServiceRegistry,
} from '../src/index.js';

const PATIENT = { timeoutMs: 20_000 };
let etcd: EtcdServer;
let client: CoordClient;
let other: CoordClient;
let registry: ServiceRegistry;
const servers: Server[] = [];
let names = 0;

beforeAll(async () => {
  etcd = await startEtcd();
  client = await connect(etcd.connectOptions);
  other = await connect(etcd.connectOptions);
  registry = createRegistry(client, { enableHealthCheck: true, healthCheckIntervalMs: 20 });
});

afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
});

afterAll(async () => {
  await Promise.all([client?.close(), other?.close()]);
  await etcd?.stop();
});

interface Checked {
  readonly registration: Registration;
  readonly name: string;
  readonly key: string;
}

async function register(check: HealthCheck, port = 1, health?: 'unknown'): Promise<Checked> {
  const name = `checked-${++names}`;
  const instance = { name, id: 'a', address: '127.0.0.1', port, health };
  const registration = await registry.register(instance, { check });
  return { registration, name, key: `/services/${name}/a` };
}

async function storedHealth(key: string): Promise<unknown> {
  return Reflect.get(Object((await other.kv.get(key))?.json()), 'health');
}

async function becomes(key: string, health: string): Promise<void> {
  await eventually(async () => expect(await storedHealth(key)).toBe(health), PATIENT);
}

/** A check whose result can be set, and that counts its runs. */
function settable(limits: object = {}) {
  const state = { ok: true, runs: 0 };
  const run = () => {
    state.runs += 1;
    return state.ok;
  };
  /** Resolves after as many more runs. */
  const runsOn = async (runs = 6) => {
    const target = state.runs + runs;
    await eventually(() => expect(state.runs).toBeGreaterThanOrEqual(target), PATIENT);
  };
  return { state, runsOn, check: { run, ...limits } };
}

async function listen(port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.on('error', () => undefined));
  servers.push(server);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return { server, port: typeof address === 'object' && address ? address.port : 0 };
}

const same = (bytes: Buffer) => bytes;

/** A gRPC server that says by grpc.health.v1 how the service `user` is. */
async function serveHealth(answer: () => number) {
  const server = new grpc.Server();
  const definition = {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  } as const;
  const check = (call: grpc.ServerUnaryCall<Buffer, Buffer>, send: grpc.sendUnaryData<Buffer>) => {
    if (String(call.request.subarray(2)) === 'user') send(null, Buffer.from([0x08, answer()]));
    else send({ code: grpc.status.NOT_FOUND });
  };
  server.addService({ check: definition }, { check });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { server, port };
}

describe('a check', () => {
  it('sets the health, on the same lease, and writes only what changes', async () => {
    const { state, runsOn, check } = settable();
    const { registration, key } = await register(check);
    const leaseId = (await other.kv.get(key))?.leaseId;
    await runsOn();
    expect((await other.kv.get(key))?.version).toBe(1);
    state.ok = false;
    await becomes(key, 'unhealthy');
    expect(registration.service.health).toBe('unhealthy');
    await runsOn();
    expect((await other.kv.get(key))?.version).toBe(2);
    state.ok = true;
    await becomes(key, 'healthy');
    await runsOn();
    expect(await other.kv.get(key)).toMatchObject({ version: 3, leaseId });
    await registration.deregister();
  });

  it('brings an instance in that was registered as unknown', async () => {
    const { state, runsOn, check } = settable();
    state.ok = false;
    const { name, key } = await register({ ...check, unhealthyAfter: 1_000_000 }, 1, 'unknown');
    await runsOn();
    expect(await registry.discover(name)).toEqual([]);
    state.ok = true;
    await becomes(key, 'healthy');
    await registry.deregister(name, 'a');
  });

  it('by TCP is about the instance’s own address, or another one', async () => {
    const { server, port } = await listen();
    const limits = { unhealthyAfter: 1, healthyAfter: 1 };
    const own = await register({ tcp: true, ...limits }, port, 'unknown');
    const elsewhere = await register({ tcp: { address: `127.0.0.1:${port}` }, ...limits }, 1, 'unknown');
    await becomes(own.key, 'healthy');
    await becomes(elsewhere.key, 'healthy');
    server.close();
    await becomes(own.key, 'unhealthy');
    await becomes(elsewhere.key, 'unhealthy');
    await listen(port);
    await becomes(own.key, 'healthy');
    await Promise.all([own.registration.deregister(), elsewhere.registration.deregister()]);
  });

  it('by grpc.health.v1 takes SERVING for an answer, and nothing else', async () => {
    let status = 1;
    const { server, port } = await serveHealth(() => status);
    const limits = { unhealthyAfter: 1, healthyAfter: 1, timeoutMs: 5_000 };
    const one = await register({ grpc: { service: 'user' }, ...limits }, port, 'unknown');
    await becomes(one.key, 'healthy');
    status = 2;
    await becomes(one.key, 'unhealthy');
    status = 1;
    await becomes(one.key, 'healthy');
    const nobody = await register({ grpc: { service: 'x'.repeat(200) }, ...limits }, port, 'unknown');
    await becomes(nobody.key, 'unhealthy');
    server.forceShutdown();
    await becomes(one.key, 'unhealthy');
    await Promise.all([one.registration.deregister(), nobody.registration.deregister()]);
  });

  it('by grpc.health.v1 does not wait for a server that accepts and is silent', async () => {
    const { port } = await listen();
    const { registration, key } = await register({ grpc: true, timeoutMs: 50, unhealthyAfter: 1 }, port);
    await becomes(key, 'unhealthy');
    await registration.deregister();
  });
});

describe('a check leaves alone', () => {
  it.each(['its owner', 'an operator'])('the maintenance that %s has set', async (who) => {
    const { state, runsOn, check } = settable();
    const { registration, name, key } = await register(check);
    if (who === 'its owner') await registration.updateHealth('maintenance');
    else await createRegistry(other).updateHealth(name, 'a', 'maintenance');
    await runsOn();
    state.ok = false;
    await runsOn();
    expect(await storedHealth(key)).toBe('maintenance');
    await registration.updateHealth('healthy');
    await becomes(key, 'unhealthy'); // from here on it counts again
    await registration.deregister();
  });

  it('a maintenance that is set while it makes up its mind', async () => {
    const operators = createRegistry(other);
    const run: HealthCheckFunction = async (service) => {
      if (service.health === 'healthy') await operators.updateHealth(service.name, service.id, 'maintenance');
      return false; // a verdict before the owner can have heard of it
    };
    const { registration, key } = await register({ run, unhealthyAfter: 1, timeoutMs: 20_000 });
    await eventually(() => expect(registration.service.health).toBe('maintenance'), PATIENT);
    const { runsOn, check } = settable();
    const barrier = await register(check);
    await runsOn();
    expect(await storedHealth(key)).toBe('maintenance');
    await Promise.all([registration.deregister(), barrier.registration.deregister()]);
  });

  it.each(['drain', 'deregister', 'close'] as const)('an instance after its %s', async (how) => {
    const ended = settable({ healthyAfter: 1 });
    const barrier = settable();
    const own = createRegistry(client, { enableHealthCheck: true, healthCheckIntervalMs: 20 });
    const name = `checked-${++names}`;
    const registration = await own.register({ name, id: 'a', address: '10.0.0.1:1' }, { check: ended.check });
    const { registration: goesOn } = await register(barrier.check);
    await ended.runsOn(1);
    if (how === 'close') await own.close();
    else if (how === 'deregister') await registration.deregister();
    else {
      registration.drain({ waitMs: 3_600_000 }).catch(() => undefined);
      const leaving = async () => Object((await other.kv.get(`/services/${name}/a`))?.json());
      await eventually(async () => expect(await leaving()).toMatchObject({ leaving: true }), PATIENT);
    }
    const { runs } = ended.state;
    await barrier.runsOn();
    expect(ended.state.runs).toBe(runs);
    if (how === 'drain') {
      expect(await storedHealth(`/services/${name}/a`)).toBe('maintenance');
      await registration.deregister();
    }
    await goesOn.deregister();
    await own.close();
  });

  it('everything, unless the registry allows of checks', async () => {
    const off = settable();
    const barrier = settable();
    const own = createRegistry(client, { healthCheckIntervalMs: 20 });
    await own.register({ name: `checked-${++names}`, address: '10.0.0.1:1' }, { check: off.check });
    const { registration } = await register(barrier.check);
    await barrier.runsOn();
    expect(off.state.runs).toBe(0);
    await Promise.all([registration.deregister(), own.close()]);
  });
});

describe('a verdict', () => {
  it('is written once etcd answers again', async () => {
    const { state, runsOn, check } = settable();
    const { registration, key } = await register(check);
    await runsOn(2);
    await etcd.pause();
    try {
      state.ok = false;
      await eventually(() => expect(registration.service.health).toBe('unhealthy'), PATIENT);
    } finally {
      await etcd.resume();
    }
    await becomes(key, 'unhealthy');
    await registration.deregister();
  });

  it('survives the loss of the lease', async () => {
    const { state, check } = settable();
    const { registration, key } = await register(check);
    state.ok = false;
    await becomes(key, 'unhealthy');
    const before = await other.kv.get(key);
    await other.etcd3.leaseClient.leaseRevoke({ ID: String(before?.leaseId) });
    await eventually(async () => {
      const after = await other.kv.get(key);
      expect(after?.createRevision).toBeGreaterThan(before?.createRevision ?? 0n);
    }, PATIENT);
    expect(await storedHealth(key)).toBe('unhealthy');
    state.ok = true;
    await becomes(key, 'healthy');
    await registration.deregister();
  });
});

describe('bad input', () => {
  it('is refused before anything is written', async () => {
    const service = { name: `checked-${++names}`, id: 'a', address: '10.0.0.1:1' };
    const given: readonly unknown[] = [service, { check: { tcp: 1, timeoutMs: 0 } }];
    await expect(Reflect.apply(registry.register, registry, given)).rejects.toMatchObject({
      issues: [{ path: 'check.timeoutMs' }, { path: 'check.tcp' }],
    });
    expect(await other.kv.get(`/services/${service.name}/a`)).toBeUndefined();
    for (const options of [{ enableHealthCheck: 'yes' }, { healthCheckIntervalMs: 0 }]) {
      expect(() => Reflect.apply(createRegistry, undefined, [client, options])).toThrow(ValidationError);
    }
  });
});
