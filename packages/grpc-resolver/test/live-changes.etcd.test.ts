/** What changes in etcd changes where calls go, over the TCP connections that are there: counted before the servers. */
import type { ServiceRegistration } from '@coord/registry';
import { eventually, type Proxy as Line, startProxy } from '@coord/testkit';
import { describe, expect, it } from 'vitest';
import { getConnection, type LoadBalanceStrategy, setServiceConfig } from '../src/index.js';
import { useStage } from './service-stage.js';
import { startWho, tally, WhoClient, type WhoServer } from './who-service.js';

const stage = useStage();

interface Served {
  readonly server: WhoServer;
  /** What clients connect to. */
  readonly line: Line;
  register(part?: Partial<ServiceRegistration>): Promise<unknown>;
}

async function serve(service: string, id: string): Promise<Served> {
  const server = await startWho(id);
  stage.cleanLater(() => server.kill());
  const line = await startProxy({ target: `127.0.0.1:${server.port}` });
  stage.cleanLater(() => line.close());
  const register = (part: Partial<ServiceRegistration> = {}) =>
    stage.registry.register({ name: service, id, address: line.address, ...part });
  await register();
  return { server, line, register };
}

async function answersOf(whos: WhoClient, count = 12): Promise<Record<string, number>> {
  const { answers, errors } = await tally(whos, count);
  expect(errors).toEqual({});
  return answers;
}

const STRATEGIES: LoadBalanceStrategy[] = ['round_robin', 'random', 'weighted', 'least_conn', 'p2c'];

it('weights, zones, metadata, health, membership and service configs change without a single new connection', async () => {
  const service = stage.unique();
  const [a, b, c] = [await serve(service, 'a'), await serve(service, 'b'), await serve(service, 'c')];
  const clients = await Promise.all(
    STRATEGIES.map(async (strategy) => {
      const channelOptions = { 'grpc.use_local_subchannel_pool': 1 }; // connections of its own
      const connection = await getConnection(stage.registry, service, { strategy, channelOptions });
      stage.cleanLater(() => connection.close());
      return { strategy, connection, whos: connection.client(WhoClient) };
    }),
  );
  const eachReaches = (...expected: string[]) =>
    Promise.all(
      clients.map(({ whos }) =>
        eventually(async () => expect(Object.keys(await answersOf(whos)).sort()).toEqual(expected), {
          timeoutMs: 20_000,
        }),
      ),
    );
  await eachReaches('a', 'b', 'c');
  const accepted = () => [a, b, c].map(({ line }) => line.accepted);
  const before = [STRATEGIES.length, STRATEGIES.length, STRATEGIES.length];
  expect(accepted()).toEqual(before);

  await a.register({ weight: 4, zone: 'z', metadata: { changed: 'yes' }, tags: ['t'], version: '2' });
  await eventually(
    async () => {
      for (const { strategy, whos } of clients) {
        const answers = await answersOf(whos);
        if (strategy === 'weighted') expect(answers).toEqual({ a: 8, b: 2, c: 2 });
        if (strategy === 'round_robin') expect(answers).toEqual({ a: 4, b: 4, c: 4 });
        if (strategy === 'least_conn') expect(answers).toEqual({ a: 12 });
      }
    },
    { timeoutMs: 20_000 },
  );
  await a.register(); // with more weight it is always the one with the fewest calls for its weight
  await eachReaches('a', 'b', 'c');
  await stage.registry.updateHealth(service, 'c', 'maintenance');
  await eachReaches('a', 'b');
  await stage.registry.updateHealth(service, 'c', 'healthy');
  await eachReaches('a', 'b', 'c');
  await serve(service, 'd');
  await eachReaches('a', 'b', 'c', 'd');
  await stage.registry.deregister(service, 'd');
  await eachReaches('a', 'b', 'c');
  const { revision } = await setServiceConfig(stage.registry, service, {
    loadBalancingConfig: [{ coord_random: {} }],
    methodConfig: [{ name: [{}], timeout: '20s' }],
  });
  for (const { connection } of clients) {
    await eventually(() => expect(connection.serviceConfig.storedRevision).toBe(revision));
  }
  await eachReaches('a', 'b', 'c');

  expect(accepted()).toEqual(before);
  expect([a, b, c].map(({ line }) => line.connections)).toEqual(before);
});

describe('a subset of the instances', () => {
  it('is all that is connected to; only the place of one that goes is filled anew', async () => {
    const service = stage.unique();
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    const served = new Map<string, Served>();
    for (const id of ids) served.set(id, await serve(service, id));
    const open = async (seed: string) => {
      const channelOptions = { 'grpc.use_local_subchannel_pool': 1 };
      const subset = { size: 2, seed };
      const { whos } = await stage.connectTo(service, { subset, channelOptions });
      return whos;
    };
    const whos = await open('one');
    const reached = async () => Object.keys(await answersOf(whos)).sort();
    const first = await eventually(async () => {
      const two = await reached();
      return two.length === 2 && two;
    });
    const accepted = () => ids.filter((id) => served.get(id)?.line.accepted !== 0);
    expect(accepted()).toEqual(first);
    const [stays = '', goes = ''] = first;
    await stage.registry.deregister(service, goes);
    const second = await eventually(async () => {
      const two = await reached();
      return two.length === 2 && !two.includes(goes) && two;
    });
    expect(second).toContain(stays);
    expect(served.get(stays)?.line.accepted).toBe(1);
    expect(accepted()).toHaveLength(3);

    // The same seed chooses the same ones; others choose others.
    const same = await open('one');
    await eventually(async () => expect(Object.keys(await answersOf(same)).sort()).toEqual(second));
    const all = new Set<string>();
    for (let seed = 0; all.size < 5; seed++) {
      const other = await open(`seed-${seed}`);
      for (const id of Object.keys(await answersOf(other))) all.add(id);
    }
  });

  it.each([0, -1, 1.5, '2', {}])('of size %j is refused', async (size) => {
    const options = { subset: { size } };
    await expect(Reflect.apply(getConnection, undefined, [stage.registry, 'x', options])).rejects.toThrow(
      /subset\.size/,
    );
  });
});
