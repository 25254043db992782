import * as registry from '@coord/registry';
import { type Recipes, recipesOf } from '../recipe.js';
import type { Stage } from '../stage.js';

export function registryRecipes(stage: Stage): Recipes {
  const name = () => stage.name();
  const instance = () => ({
    name: name(),
    id: 'i',
    address: '10.0.0.1',
    port: 80,
    metadata: { a: 'b' },
    tags: ['t'],
  });
  const registration = () => stage.registry.register(instance(), { ttlMs: 30_000 });
  const info = (): registry.ServiceInfo => ({
    name: 'a',
    id: 'i',
    address: '10.0.0.1',
    port: 80,
    metadata: {},
    health: 'healthy',
    weight: 1,
    registerTime: new Date(0),
    lastHeartbeat: new Date(0),
  });
  return {
    ...recipesOf('@coord/registry ', () => registry, {
      createRegistry: { args: [() => [stage.client, {}]] },
      drainOnSignal: {
        args: [() => [stage.registry, { signals: ['SIGUSR2'] }], () => [[stage.registry], {}]],
      },
      goKratosCodec: { args: [() => [{}]] },
      goZeroCodec: {},
      // Of an instance it looks at name and id alone.
      subsetOf: { args: [() => [[info(), info()], { size: 1 }]], anything: /^0\.0\.(?!name|id)/ },
    }),
    'SignalDrain.close': {
      on: () => registry.drainOnSignal(stage.registry, { signals: ['SIGUSR2'] }),
      usesUp: true,
    },
    ...recipesOf('ServiceRegistry.', () => stage.registry, {
      register: {
        args: [
          () => [instance(), {}],
          () => [instance(), { check: { tcp: { address: '127.0.0.1:1' } } }],
          () => [instance(), { check: { grpc: { service: 'a' } } }],
          () => [instance(), { check: { run: () => true } }],
        ],
      },
      deregister: { args: [() => [name(), 'i', {}]] },
      unregister: { args: [() => ['nobody', {}]] },
      discover: {
        args: [() => [name(), {}], () => [name(), { consistency: 'linearizable', subset: { size: 1 } }]],
      },
      status: { args: [() => [name()]] },
      watch: { args: [() => [name()]] },
      watchInstances: { args: [() => [name(), {}]] },
      listServices: { args: [() => [{}]] },
    }),
    'ServiceRegistry.updateHealth': {
      on: async () => {
        await stage.registry.register({ ...instance(), name: 'updated' });
        return stage.registry;
      },
      args: [() => ['updated', 'i', 'healthy', {}]],
    },
    'ServiceRegistry.drain': {
      on: () => registry.createRegistry(stage.client),
      args: [() => [{ waitMs: 0 }]],
      usesUp: true,
    },
    'ServiceRegistry.close': {
      on: () => registry.createRegistry(stage.client),
      args: [() => [{}]],
      usesUp: true,
    },
    ...recipesOf('Registration.', registration, {
      subscribe: { args: [() => [() => undefined]] },
      updateHealth: { args: [() => ['unhealthy', {}]] },
      drain: { args: [() => [{ waitMs: 0 }]], usesUp: true },
      deregister: { args: [() => [{}]], usesUp: true },
    }),
    'ServiceStatus.toJSON': {
      on: async () => {
        const service = instance();
        await stage.registry.register(service);
        await stage.registry.discover(service.name);
        return stage.registry.status(service.name);
      },
    },
    'ServiceWatch.close': { on: () => stage.registry.watch('a'), usesUp: true },
    'InstancesWatch.close': { on: () => stage.registry.watchInstances('a'), usesUp: true },
  };
}
