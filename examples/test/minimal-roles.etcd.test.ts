/** Without any single right of a role of docs/operations, a function that the role is for is refused. */
import { inspect } from 'node:util';
import { type CoordClient, connect, type Logger, PermissionError } from '@coord/client';
import { createConfigCenter } from '@coord/config';
import {
  appliedConfig,
  type ConfigManagerOptions,
  createConfigManager,
  overrideConfig,
} from '@coord/config-manager';
import { getServiceConfig, setServiceConfig } from '@coord/grpc-resolver';
import { createLocks } from '@coord/lock';
import { createRegistry } from '@coord/registry';
import { type EtcdServer, eventually, type Proxy as Line, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Grant, grantsOf, roles } from './documented-roles.js';

/** A function that needs a right: it resolves with it, and without it rejects as what refuses it. */
type Use = (as: User) => Promise<unknown>;
type Right = 'read' | 'write';

interface User {
  readonly client: CoordClient;
  /** Rejects with what the client has logged, if it was a refusal. */
  readonly refusal: Promise<never>;
}

const ORDERS = 'prod/orders/http';
const SHARED = 'prod/_shared/http';
/** By the log: what goes on in the background has nobody to reject to. */
const REFUSED = 'refused in the log';
const READ_WRITE = ['read', 'write'] as const;
let etcd: EtcdServer;
let line: Line;
let root: CoordClient;
let users = 0;

beforeAll(async () => {
  etcd = await startEtcd({ auth: true, args: ['--bcrypt-cost=4'] });
  line = await startProxy({ target: etcd.endpoint });
  root = await connect(etcd.connectOptions);
  const registry = createRegistry(root);
  await registry.register({ name: 'user-service', id: 'x', address: '10.0.0.1', port: 1 });
  await setServiceConfig(registry, 'user-service', {});
  const config = createConfigCenter(root);
  await config.set(ORDERS, { port: 1 });
  await config.set(SHARED, { host: 'h' });
});
afterAll(async () => {
  await root?.close();
  await line?.close();
  await etcd?.stop();
});

const lock = (use: (locks: ReturnType<typeof createLocks>) => Promise<{ release(): Promise<void> }>): Use => {
  return async ({ client }) => (await use(createLocks(client))).release();
};
const acquire = lock((locks) => locks.acquire('a'));
const acquireReadLock = lock((locks) => locks.acquireReadLock('a'));

const registering = (id: string) => ({ name: 'user-service', id, address: '10.0.0.2', port: 2 });
const register: Use = async ({ client }) => {
  await (await createRegistry(client).register(registering('a'))).deregister();
};
/** Whoever gives up while the answer is lost marks what he has sent, so that it can do nothing when it arrives late. */
const giveUpRegistering: Use = async ({ client, refusal }) => {
  await root.kv.delete({ prefix: '/coord/registry/withdrawn/' });
  const registry = createRegistry(client);
  await registry.register(registering('first')); // so that there is a lease
  line.blackhole('toClient');
  try {
    const lost = registry.register(registering('lost'), { timeoutMs: 300 });
    await expect(lost).rejects.toThrow('did not confirm');
  } finally {
    line.heal();
  }
  const marked = async () =>
    expect((await root.kv.range({ prefix: '/coord/registry/withdrawn/' })).count).toBeGreaterThan(0);
  await Promise.race([refusal, eventually(marked, { timeoutMs: 30_000 })]);
};
const discover: Use = ({ client }) => createRegistry(client).discover('user-service');
const updateHealth: Use = async ({ client }) => {
  const registry = createRegistry(client);
  for (const health of ['unhealthy', 'healthy'] as const)
    await registry.updateHealth('user-service', 'x', health);
};
const readServiceConfig: Use = ({ client }) => getServiceConfig(createRegistry(client), 'user-service');
const writeServiceConfig: Use = ({ client }) => setServiceConfig(createRegistry(client), 'user-service', {});

const center = (use: (config: ReturnType<typeof createConfigCenter>) => Promise<unknown>): Use => {
  return ({ client }) => use(createConfigCenter(client));
};
const get = center((config) => config.get(ORDERS));
const getVersion = center((config) => config.getVersion(ORDERS));
const getHistory = center((config) => config.getHistory(ORDERS));
const getSchema = center((config) => config.getSchema(ORDERS));
const set = center((config) => config.set(ORDERS, { port: 1 }, { force: true }));
const setSchema = center((config) => config.setSchema(ORDERS, { type: 'object' }));
const listReleases = center((config) => config.listReleases());
const publish = center((config) => config.publish([{ key: ORDERS, value: { port: 1 } }], { force: true }));
const override = center(async (config) => {
  await (await overrideConfig(config, ORDERS, { port: 9 }, { ttlMs: 60_000 })).end();
});

type ManagerOptions = Partial<ConfigManagerOptions<{ port: number; host: string }>>;
/** Follows the key with a layer, and rejects with what it could not do. */
const manage = (options: ManagerOptions): Use => {
  return async ({ client }) => {
    const config = createConfigCenter(client);
    const place = { env: 'prod', service: 'orders', component: 'http', instance: 'orders-1' };
    const defaults = { port: 0, host: '' };
    await using manager = createConfigManager({
      config,
      ...place,
      defaults,
      startTimeoutMs: 200,
      ...options,
    });
    await manager.start();
    await eventually(async () => {
      if (manager.status.lastError) return;
      expect(manager.current.port).toBe(1);
      if (options.announce) expect((await appliedConfig(createConfigCenter(root), ORDERS)).total).toBe(1);
    });
    if (manager.status.lastError) throw manager.status.lastError;
  };
};
/** What a change was is asked of the history when etcd has compacted it while it was on its way. */
const followOverCompaction = (key: string): Use => {
  return async ({ client }) => {
    const writer = createConfigCenter(root);
    await using watch = createConfigCenter(client).watch(key);
    await using events = client.watch(`/config/${key}`);
    await Promise.all([watch.ready, events.ready]);
    const [changes, told] = [watch, events].map((each) => each[Symbol.asyncIterator]());
    await writer.set(key, { port: 1 }, { force: true });
    await Promise.all([changes?.next(), told?.next()]); // both are attached
    const reading = vi.spyOn(client.kv, 'get');
    line.blackhole('toServer');
    try {
      await writer.set(key, { port: 1 }, { force: true });
      await told?.next();
      await eventually(() => expect(reading).toHaveBeenCalled()); // what belongs to it is asked, and not answered yet
      const { revision } = await writer.set(key, { port: 1 }, { force: true });
      await root.etcd3.kv.compact({ revision: revision.toString(), physical: true });
    } finally {
      line.heal();
      reading.mockRestore();
    }
    await changes?.next();
  };
};

/** By role, key and right. */
const USES: Record<string, Record<string, Partial<Record<Right, Use>>>> = {
  'coord-lock': {
    '/locks/': { read: acquire, write: acquire },
    '/coord/locks/': { read: acquireReadLock, write: acquireReadLock },
  },
  'coord-register-users': {
    '/services/user-service/': { read: register, write: register },
    '/coord/registry/withdrawn/': { read: register, write: giveUpRegistering },
  },
  'coord-discover': { '/services/': { read: discover } },
  'coord-call': {
    '/services/': { read: discover },
    '/coord/registry/service-config/services/': { read: readServiceConfig },
  },
  'coord-operate-services': {
    '/services/': { read: discover, write: updateHealth },
    '/coord/registry/': { read: readServiceConfig, write: writeServiceConfig },
  },
  'coord-config-read': {
    '/config/prod/orders/': { read: get },
    '/coord/config/meta/prod/orders/': { read: getVersion },
    '/coord/config/hist/prod/orders/': { read: getHistory },
    '/coord/config/schema/prod/orders/': { read: getSchema },
  },
  'coord-config-write': {
    '/config/prod/orders/': { read: get, write: set },
    '/coord/config/meta/prod/orders/': { read: getVersion, write: set },
    '/coord/config/hist/prod/orders/': { read: getHistory, write: set },
    '/coord/config/schema/prod/orders/': { read: getSchema, write: setSchema },
    '/coord/config/rel/': { read: listReleases, write: publish },
  },
  'coord-manage': {
    '/config/prod/orders/': { read: manage({}) },
    '/coord/config/meta/prod/orders/': { read: manage({}) },
    '/coord/config/hist/prod/orders/': { read: followOverCompaction(ORDERS) },
    '/config/prod/_shared/': { read: manage({ layers: ['shared'] }) },
    '/coord/config/meta/prod/_shared/': { read: manage({ layers: ['shared'] }) },
    '/coord/config/hist/prod/_shared/': { read: followOverCompaction(SHARED) },
    [`/coord/config/gray/${ORDERS}`]: { read: manage({ layers: ['canary'] }) },
    [`/coord/config/over/${ORDERS}/@/`]: { read: manage({ layers: ['override'] }) },
    [`/coord/config/ack/${ORDERS}/@/`]: {
      read: manage({ announce: true }),
      write: manage({ announce: true }),
    },
  },
  'coord-operate-config': {
    '/config/': { read: get, write: set },
    '/coord/config/': { read: getVersion, write: override },
  },
};

/** A new user with these rights. */
async function newUser(grants: readonly Grant[]): Promise<User & AsyncDisposable> {
  const name = `user-${++users}`;
  await etcd.etcdctl(['role', 'add', name]);
  for (const { rights, key, prefix } of grants)
    await etcd.etcdctl(['role', 'grant-permission', name, rights, ...(prefix ? ['--prefix=true'] : []), key]);
  await etcd.etcdctl(['user', 'add', `${name}:secret`]);
  await etcd.etcdctl(['user', 'grant-role', name, name]);
  let refuse: (error: Error) => void = () => undefined;
  const refusal = new Promise<never>((_, reject) => {
    refuse = reject;
  });
  refusal.catch(() => undefined);
  const log = (...line: unknown[]) => {
    if (inspect(line).includes('permission denied')) refuse(new Error(REFUSED));
  };
  const logger: Logger = { error: log, warn: log, info: log, debug: log };
  const client = await connect({ endpoints: [line.endpoint], username: name, password: 'secret', logger });
  return { client, refusal, [Symbol.asyncDispose]: () => client.close() };
}

it('every right of every role is looked at', () => {
  const looked = roles.map((role) => [
    role,
    Object.entries(USES[role] ?? {}).map(([key, uses]) => [key, Object.keys(uses).join('')]),
  ]);
  const granted = roles.map((role) => [role, grantsOf(role).map(({ key, rights }) => [key, rights])]);
  expect(looked).toEqual(granted);
});

describe.each(roles)('without any one right %s does not suffice', (role) => {
  const grants = grantsOf(role);
  const cases = grants.flatMap((grant) =>
    READ_WRITE.filter((right) => grant.rights.includes(right)).map((right) => ({ ...grant, right })),
  );

  let whole: User & AsyncDisposable;
  beforeAll(async () => {
    whole = await newUser(grants);
  });
  afterAll(() => whole?.[Symbol.asyncDispose]());

  it.each(cases)('$right $key', async ({ key, right, rights }) => {
    const use = USES[role]?.[key]?.[right];
    if (use === undefined) return expect.fail('it has no use');
    await use(whole);
    const others = grants.filter((grant) => grant.key !== key);
    const rest = rights.replace(right, '');
    const own = grants.filter((grant) => grant.key === key).map((grant) => ({ ...grant, rights: rest }));
    await using less = await newUser([...others, ...(rest === '' ? [] : own)]);
    const refused = await use(less).then(
      () => 'not refused',
      (error: unknown) =>
        error instanceof PermissionError || (error instanceof Error && error.message === REFUSED)
          ? 'refused'
          : error,
    );
    expect(refused).toBe('refused');
  });
});
