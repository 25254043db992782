import { type CoordClient, connect } from '@coord/client';
import { type EtcdServer, eventually, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry, type Registration } from '../src/index.js';

const COUNT = 500;
const PATIENT = { timeoutMs: 60_000 };
let etcd: EtcdServer;
let client: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd();
  client = await connect(etcd.connectOptions);
});

afterAll(async () => {
  await client?.close();
  await etcd?.stop();
});

/** How many calls etcd has answered so far, by its own count. */
async function callsOf(...methods: string[]): Promise<number> {
  const text = await (await fetch(`${etcd.endpoint}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith('grpc_server_started_total{'));
  const counts = methods.map((method) => {
    const line = lines.find((each) => each.includes(`grpc_method="${method}"`));
    return Number(line?.split(' ').at(-1) ?? 0);
  });
  return counts.reduce((sum, count) => sum + count, 0);
}

async function leases(): Promise<readonly unknown[]> {
  return (await client.etcd3.leaseClient.leaseLeases()).leases;
}

describe(`${COUNT} instances of one process`, () => {
  it('share one lease and few requests: to register, to come back after its loss, and to go', async () => {
    const registry = createRegistry(client);
    const calls = () => callsOf('Txn', 'Put', 'Range', 'DeleteRange', 'LeaseGrant');
    const start = await calls();
    const all: Registration[] = await Promise.all(
      Array.from({ length: COUNT }, (_, i) =>
        registry.register({ name: `many-${i % 5}`, id: `i${i}`, address: '10.0.0.1', port: 1 + i }, PATIENT),
      ),
    );
    const registered = await calls();
    expect(registered - start).toBeLessThan(COUNT / 5); // 128 go into one request; 10,000 took 83 (see the README)
    expect(await leases()).toHaveLength(1);
    expect(await registry.discover('many-0')).toHaveLength(COUNT / 5);

    const [first] = all;
    const before = await client.kv.get(`/services/many-0/${first?.service.id}`);
    await client.etcd3.leaseClient.leaseRevoke({ ID: String(before?.leaseId) });
    await eventually(async () => {
      const { kvs } = await client.kv.range({ prefix: '/services/' });
      expect(kvs).toHaveLength(COUNT);
      expect(kvs.every(({ leaseId, version }) => leaseId !== before?.leaseId && version === 1)).toBe(true);
    }, PATIENT);
    await eventually(() => expect(all.every(({ state }) => state === 'registered')).toBe(true), PATIENT);
    expect(await leases()).toHaveLength(1);

    const returned = await calls();
    await registry.close(PATIENT);
    expect(all.every(({ state }) => state === 'deregistered')).toBe(true);
    expect((await client.kv.range({ prefix: '/services/' })).count).toBe(0);
    expect((await calls()) - returned).toBeLessThan(COUNT / 5);
  });
});
