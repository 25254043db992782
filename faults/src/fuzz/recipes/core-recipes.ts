import * as core from '@coord/core';
import * as global from '@coord/core/global';
import * as resolver from '@coord/grpc-resolver';
import * as grpc from '@grpc/grpc-js';
import { type Recipes, recipesOf } from '../recipe.js';
import type { Stage } from '../stage.js';

const SERVICE_CONFIG = {
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [
    {
      name: [{ service: 'a.B' }],
      timeout: '1s',
      retryPolicy: {
        maxAttempts: 2,
        initialBackoff: '0.1s',
        maxBackoff: '1s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
    { name: [{ service: 'a.C' }], hedgingPolicy: { maxAttempts: 2, nonFatalStatusCodes: ['UNAVAILABLE'] } },
  ],
  retryThrottling: { maxTokens: 10, tokenRatio: 0.1 },
};

export function resolverRecipes(stage: Stage): Recipes {
  const { registry } = stage;
  const connection = () => resolver.getConnection(registry, stage.name());
  const connections: readonly (() => readonly unknown[])[] = [
    () => [stage.name(), { strategy: 'weighted', subset: { size: 1 } }],
    () => [stage.name(), { serviceConfig: SERVICE_CONFIG }],
  ];
  let scheme = 0;
  const resolving = () => ({ registry, scheme: `fuzz${scheme++}`, subset: { size: 1 } });
  return {
    ...recipesOf('@coord/grpc-resolver ', () => resolver, {
      getConnection: { args: connections.map((args) => () => [registry, ...args()]) },
      registerResolver: {
        args: [() => [resolving()], () => [{ client: stage.client, scheme: `fuzz${scheme++}` }]],
      },
      setServiceConfig: { args: [() => [registry, stage.name(), SERVICE_CONFIG, {}]] },
      getServiceConfig: { args: [() => [registry, stage.name(), {}]] },
      deleteServiceConfig: { args: [() => [registry, stage.name(), {}]] },
    }),
    ...recipesOf('ServiceConnection.', connection, {
      client: { args: [() => [grpc.makeGenericClientConstructor({}, 'Service')]] },
      waitForReady: { args: [() => [{ timeoutMs: 50 }]], waits: true, usesUp: true },
      close: { usesUp: true },
    }),
    'ServiceConfigStatus.toJSON': { on: async () => (await connection()).serviceConfig },
    'ServiceConfigEntry.toJSON': {
      on: async () => {
        const name = stage.name();
        await resolver.setServiceConfig(registry, name, {});
        return resolver.getServiceConfig(registry, name);
      },
    },
    ...recipesOf('ResolverHandle.', () => resolver.registerResolver(resolving()), {
      target: { args: [() => ['a']] },
      channelOptions: {},
      close: { usesUp: true },
    }),
    ...coreRecipes(stage, connections),
  };
}

function coreRecipes(stage: Stage, connections: readonly (() => readonly unknown[])[]): Recipes {
  const { etcd } = stage;
  const complete = () => ({
    ...etcd.connectOptions,
    dialTimeoutMs: 2_000,
    requestTimeoutMs: 2_000,
    serviceRegistry: {},
    distributedLock: {},
    configCenter: {},
  });
  const coordinator = () => core.createCoordinator(complete());
  const configured = async () => {
    await global.close();
    global.configure(complete());
    return global;
  };
  const instance = () => ({
    name: stage.name(),
    id: 'i',
    address: '10.0.0.1',
    port: 80,
    metadata: {},
    tags: ['t'],
  });
  const sections = Object.fromEntries(
    ['configCenterConfig', 'distributedLockConfig', 'serviceRegistryConfig', 'retryConfig'].map((name) => [
      name,
      { args: [() => [{}]] },
    ]),
  );
  const presets = Object.fromEntries(
    ['defaultConfig', 'developmentConfig', 'productionConfig', 'testConfig'].map((name) => [
      name,
      { args: [() => [complete()]] },
    ]),
  );
  const key = () => [stage.name(), {}];
  return {
    ...recipesOf('@coord/core ', () => core, {
      ...sections,
      ...presets,
      createCoordinator: { args: [() => [complete(), {}]] },
      configFromEnv: { args: [() => [{ COORD_ENDPOINTS: '127.0.0.1:1' }]] },
    }),
    '@coord/core closeOnSignal': {
      on: () => core,
      args: [() => [stand(stage), { signals: ['SIGUSR2'] }], () => [[stand(stage)], {}]],
    },
    ...recipesOf('Coordinator.', coordinator, {
      getConnection: { args: connections },
      ping: { args: [() => [{}]] },
      close: { args: [() => [{}]], usesUp: true },
    }),
    ...recipesOf('Logger.', () => core.defaultConfig({ logger: silent }).logger, {
      error: { args: [() => ['x']], anything: /^0/ },
      warn: { args: [() => ['x']], anything: /^0/ },
      info: { args: [() => ['x']], anything: /^0/ },
      debug: { args: [() => ['x']], anything: /^0/ },
    }),
    ...recipesOf('@coord/core/global ', configured, {
      configure: { args: [() => [complete(), {}]] },
      ping: { args: [() => [{}]] },
      close: { args: [() => [{}]], usesUp: true },
      closeOnSignal: { args: [() => [{ signals: ['SIGUSR2'] }]] },
      registerService: { args: [() => [instance(), {}], () => [instance(), { check: { tcp: {} } }]] },
      deregisterService: { args: [() => [stage.name(), 'i', {}]] },
      discoverServices: { args: [() => [stage.name(), { subset: { size: 1 } }]] },
      getServiceConnection: { args: connections },
      acquireLock: { args: [key] },
      acquireReentrantLock: { args: [key] },
      acquireReadLock: { args: [key] },
      acquireWriteLock: { args: [key] },
      getConfig: { args: [key] },
      setConfig: { args: [() => [stage.name(), { a: 1 }, {}]] },
      watchConfig: { args: [key] },
    }),
  };
}

const silent: core.Logger = { error() {}, warn() {}, info() {}, debug() {} };

/** Nothing but its parts. */
const stand = ({ client, registry, locks, config }: Stage): core.Coordinator => ({
  client,
  registry,
  lock: locks,
  config,
  ping: () => client.ping(),
  getConnection: (name, options) => resolver.getConnection(registry, name, options),
  close: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
});
