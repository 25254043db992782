/** Discovery against a model: whatever happens to lines and history, a list is the state at some revision. */
import { type CoordClient, connect } from '@coord/client';
import { type EtcdServer, eventually, startEtcd, startProxy, type Proxy as TcpProxy } from '@coord/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRegistry, type ServiceInfo } from '../src/index.js';

let etcd: EtcdServer;
let writer: CoordClient;
let proxy: TcpProxy;
let client: CoordClient;

beforeAll(async () => {
  etcd = await startEtcd();
  proxy = await startProxy({ target: etcd.endpoint });
  [writer, client] = await Promise.all([
    connect(etcd.connectOptions),
    connect({ endpoints: [proxy.endpoint], requestTimeoutMs: 10_000 }),
  ]);
});

afterAll(async () => {
  await Promise.all([writer?.close(), client?.close({ timeoutMs: 500 })]);
  await proxy?.close();
  await etcd?.stop();
});

const IDS = 6;
const STEPS = 200;

/** Numbers that look random, the same ones for a seed. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** What somebody who reads sees: `id:port`, in the order of the ids. */
const textOf = (entries: Iterable<readonly [id: string, port: number]>) =>
  Array.from(entries, ([id, port]) => `${id}:${port}`)
    .sort()
    .join(' ');
const listText = (list: readonly ServiceInfo[]) => textOf(list.map(({ id, port }) => [id, port]));

it.each([1, 2, 3])(
  'no list is empty, mixed or older than one before it, seed %i',
  async (seed) => {
    const random = randomFrom(seed);
    const name = `model-${seed}`;
    const key = (id: string) => `/services/${name}/${id}`;
    const state = new Map([['anchor', 1]]);
    const history: string[] = [];
    /** Where in the history a state is, at or after `from`. */
    const find = (text: string, from: number) => history.indexOf(text, from);
    const note = () => history.push(textOf(state));
    await writer.kv.put(key('anchor'), JSON.stringify({ Addr: 'anchor:1' }));
    note();

    const registry = createRegistry(client, { emptyHoldMs: 0 });
    const lists: string[] = [];
    const replayed: string[] = [];
    const list = registry.watchInstances(name);
    const listing = (async () => {
      for await (const instances of list) lists.push(listText(instances));
    })();
    const events = registry.watch(name);
    const replaying = (async () => {
      const present = new Map<string, number>();
      for await (const { type, service } of events) {
        if (type === 'put') present.set(service.id, service.port);
        else present.delete(service.id);
        replayed.push(textOf(present));
      }
    })();
    const discovered: string[] = [];
    const discover = async () =>
      discovered.push(listText(await registry.discover(name, { timeoutMs: 30_000 })));

    for (let step = 0; step < STEPS; step++) {
      const id = `i${random(IDS)}`;
      const value = (port: number, leaving: boolean) =>
        JSON.stringify({ Addr: `${id}:${port}`, ...(leaving && { leaving }) });
      const what = random(10);
      if (what < 6) {
        const port = 1 + random(60_000);
        state.set(id, port);
        await writer.kv.put(key(id), value(port, false));
      } else if (what < 8) {
        state.delete(id);
        await writer.kv.delete(key(id));
      } else {
        const port = state.get(id) ?? 1;
        state.delete(id);
        await writer.kv.put(key(id), value(port, true));
      }
      note();
      await discover();
      const fault = random(40);
      if (fault === 0) proxy.cut();
      if (fault === 1) await etcd.compact();
      if (fault === 2) {
        await proxy.refuse();
        proxy.cut();
      }
      if (fault === 3 || step === STEPS - 1) await proxy.accept();
    }
    state.set('end', 1);
    await writer.kv.put(key('end'), JSON.stringify({ Addr: 'end:1' }));
    note();
    const last = history.at(-1);
    await eventually(
      async () => {
        await discover();
        expect([lists.at(-1), replayed.at(-1), discovered.at(-1)]).toEqual([last, last, last]);
      },
      { timeoutMs: 40_000 },
    );
    await Promise.all([list.close(), events.close()]);
    await Promise.all([listing, replaying]);

    for (const seen of [lists, discovered]) {
      expect(seen.length).toBeGreaterThan(1);
      let at = 0;
      for (const text of seen) {
        expect(text).toContain('anchor:1');
        const next = find(text, at);
        expect(next, `"${text}" after "${history[at]}"`).toBeGreaterThanOrEqual(at);
        at = next;
      }
    }
  },
  120_000,
);
