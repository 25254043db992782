import * as client from '@coord/client';
import type { EtcdServer } from '@coord/testkit';
import { type Recipes, recipesOf } from '../recipe.js';
import type { Stage } from '../stage.js';

const decode = (kv: client.KeyValue) => kv.text();

export function clientRecipes(stage: Stage): Recipes {
  const { kv } = stage.client;
  const session = () => stage.client.session({ ttlMs: 60_000 });
  const cache = async () => {
    const made = stage.client.cache({ prefix: 'cached/' }, { decode });
    await made.ready;
    return made;
  };
  const errors = Object.keys({ ...client }).filter((name) => name.endsWith('Error'));
  return {
    ...recipesOf('@coord/client ', () => client, {
      connect: { args: [() => [options(stage.etcd), {}]] },
      createClient: { args: [() => [options(stage.etcd)]] },
    }),
    ...Object.fromEntries(
      errors.map((name) => [
        `@coord/client ${name}.is`,
        { on: () => Reflect.get(client, name), args: [() => [new Error('x')]], anything: /^0/ },
      ]),
    ),
    ...recipesOf('CoordClient.', () => stage.client, {
      watch: { args: [() => ['a', {}], () => [{ prefix: 'a' }], () => [{ start: 'a', end: 'b' }]] },
      cache: { args: [() => ['a', { decode }], () => [{ prefix: 'a' }, { decode }]] },
      session: { args: [() => [{ ttlMs: 10_000 }]] },
      ping: { args: [() => [{}]] },
    }),
    'CoordClient.close': {
      on: () => client.connect(options(stage.etcd)),
      args: [() => [{}]],
      usesUp: true,
    },
    'Health.subscribe': { on: () => stage.client.health, args: [() => [() => undefined]] },
    ...recipesOf('KV.', () => kv, {
      get: { args: [() => ['a', {}]] },
      range: {
        args: [
          () => ['a', {}],
          () => [{ prefix: 'a' }, { sort: { by: 'key', order: 'ascend' } }],
          () => [{ start: 'a', end: 'b' }],
        ],
      },
      list: { args: [() => ['a', {}], () => [{ prefix: 'a' }], () => [{ start: 'a', end: 'b' }]] },
      put: { args: [() => ['a', 'x', {}], () => ['a', 'x', { exclusive: [{ prefix: 'b' }] }]] },
      delete: {
        args: [
          () => ['a', {}],
          () => [{ prefix: 'a' }, { exclusive: ['b'] }],
          () => [{ start: 'a', end: 'b' }],
        ],
      },
      txn: { args: TRANSACTIONS.map((txn) => () => [txn, {}]) },
    }),
    ...recipesOf(
      'KeyValue.',
      async () => {
        await kv.put('a-value', '{}');
        return kv.get('a-value');
      },
      { text: {}, json: {} },
    ),
    'Watch.close': { on: () => stage.client.watch('a'), usesUp: true },
    ...recipesOf('WatchCache.', cache, {
      get: { args: [() => ['a']] },
      entries: {},
      waitFor: { args: [() => [0n, { timeoutMs: 100 }]] },
      synced: { args: [() => [{}]] },
      changes: {},
      close: { usesUp: true },
    }),
    ...recipesOf('Session.', session, {
      assertAlive: {},
      keepAlive: { args: [() => [{}]] },
      close: { args: [() => [{}]], usesUp: true },
    }),
    'Session.orphan': { on: () => stage.client.session({ ttlMs: 2_000 }), usesUp: true },
  };
}

const options = ({ connectOptions }: EtcdServer): client.ClientOptions => ({
  ...connectOptions,
  dialTimeoutMs: 2_000,
  requestTimeoutMs: 2_000,
  logger: { error() {}, warn() {}, info() {}, debug() {} },
});

const compare = { key: 'a', target: 'mod', is: '=', to: 0 } as const;
const TRANSACTIONS: readonly client.TxnRequest[] = [
  { compare: [compare], success: [{ put: { key: 'a', value: 'x' } }], failure: [{ get: 'a', options: {} }] },
  {
    compare: [{ ...compare, key: { prefix: 'a' } }],
    success: [{ get: { prefix: 'a' }, options: { sort: { by: 'key', order: 'ascend' } } }],
  },
  {
    compare: [{ ...compare, target: 'value', to: 'x' }],
    success: [{ delete: { start: 'a', end: 'b' } }],
    failure: [{ delete: 'a' }],
  },
  {
    success: [
      { txn: { compare: [compare], success: [{ put: { key: 'a', value: 'x' } }], failure: [{ get: 'a' }] } },
    ],
  },
  { failure: [{ txn: { success: [{ delete: 'a' }] } }] },
];
