import * as config from '@coord/config';
import * as manager from '@coord/config-manager';
import { type Recipes, recipesOf } from '../recipe.js';
import type { Stage } from '../stage.js';

export function configRecipes(stage: Stage): Recipes {
  const key = () => stage.name();
  const center = stage.config;
  const written = async () => {
    const name = key();
    await center.set(name, { a: 1 });
    return name;
  };
  /** One that is there, for calls that need one. */
  const present = { key: '' };
  const known = () => present.key;
  const publish = async () => {
    const release = await center.publish([{ key: key(), value: 1 }]);
    return release;
  };
  const prepared = async () => {
    present.key = await written();
    return center;
  };
  return {
    '@coord/config createConfigCenter': {
      on: () => config,
      args: [
        () => [stage.client, {}],
        () => [stage.client, { encryption: { keys: { k: Buffer.alloc(32, 1) }, current: 'k' } }],
      ],
    },
    '@coord/config VersionConflictError.is': {
      on: () => config.VersionConflictError,
      anything: /^0/,
      args: [() => [new Error('x')]],
    },
    ...recipesOf('ConfigCenter.', prepared, {
      get: { args: [() => [known(), {}], () => [known(), { consistency: 'cached' }]] },
      getValue: { args: [() => [known(), 1, {}]], anything: /^1$/ },
      set: {
        args: [() => [key(), { a: 1 }, {}], () => [key(), 'a: 1', { format: 'yaml', metadata: { a: 'b' } }]],
      },
      compareAndSet: { args: [() => [key(), { a: 1 }, 0, {}]] },
      delete: { args: [() => [key(), {}]] },
      getVersion: { args: [() => [known(), {}]] },
      getHistory: { args: [() => [known(), {}]] },
      rollback: { args: [() => [known(), 1, {}]] },
      diff: { args: [() => [known(), 0, 1, {}]] },
      adopt: { args: [() => [known(), {}]] },
      publish: {
        args: [
          () => [
            [
              { key: key(), value: 1 },
              { key: key(), delete: true },
            ],
            {},
          ],
          () => [[{ key: key(), value: 'a: 1', format: 'yaml', metadata: { a: 'b' } }], {}],
        ],
      },
      revert: { args: [() => ['no-release', {}]] },
      getRelease: { args: [() => ['no-release', {}]] },
      listReleases: { args: [() => [{}]] },
      setSchema: { args: [() => [key(), { type: 'object' }, {}]] },
      getSchema: { args: [() => [key(), {}]] },
      deleteSchema: { args: [() => [key(), {}]] },
      list: { args: [() => ['', {}]] },
      watch: { args: [() => [known(), {}]] },
      watchPrefix: { args: [() => ['', {}]] },
    }),
    'ConfigCenter.close': { on: () => config.createConfigCenter(stage.client), usesUp: true },
    'ConfigWatch.close': { on: () => center.watch('a'), usesUp: true },
    'ConfigValue.toJSON': { on: async () => center.get(await written()) },
    'ConfigVersion.toJSON': { on: async () => (await center.getHistory(await written()))[0] },
    'ConfigRelease.toJSON': { on: publish },
    ...managerRecipes(stage, written, present),
  };
}

function managerRecipes(stage: Stage, written: () => Promise<string>, present: { key: string }): Recipes {
  const known = () => present.key;
  const center = stage.config;
  const plain = () => ({
    config: center,
    env: 'test',
    service: stage.name(),
    component: 'main',
    defaults: { a: 1 },
  });
  const started = async () => {
    const given = plain();
    await center.set(`test/${given.service}/main`, { a: 2 });
    const made = manager.createConfigManager<{ a: number }>(given);
    await made.start();
    return made;
  };
  const canary = async () => manager.startCanary(center, await written(), { a: 2 }, { percent: 10 });
  const override = async () => manager.overrideConfig(center, await written(), { a: 2 }, { ttlMs: 5_000 });
  return {
    ...recipesOf(
      '@coord/config-manager ',
      async () => {
        present.key = await written();
        return manager;
      },
      {
        appliedConfig: { args: [() => [center, known(), {}]] },
        getCanary: { args: [() => [center, known(), {}]] },
        listOverrides: { args: [() => [center, known(), {}]] },
        startCanary: { args: [() => [center, stage.name(), { a: 2 }, { percent: 10 }]] },
        overrideConfig: { args: [() => [center, stage.name(), { a: 2 }, { ttlMs: 5_000 }]] },
        createConfigManager: {
          anything: /^0\.defaults$/,
          args: [
            () => [plain()],
            () => [{ ...plain(), validate: [() => true], onUpdate: { prepare: () => undefined } }],
            () => [
              {
                ...plain(),
                layers: ['service', 'instance'],
                instance: 'i',
                onUpdate: [{ prepare: () => undefined }],
              },
            ],
          ],
        },
      },
    ),
    ...recipesOf('ConfigCanary.', canary, {
      resize: { args: [() => [{ percent: 20 }, {}]], usesUp: true },
      promote: { args: [() => [{}]], usesUp: true },
      drop: { args: [() => [{}]], usesUp: true },
    }),
    'ConfigOverride.end': { on: override, args: [() => [{}]], usesUp: true },
    ...recipesOf('ConfigManager.', started, {
      start: {},
      stop: { usesUp: true },
      reload: {},
      waitFor: { args: [() => [1, { timeoutMs: 50 }]] },
      getCurrentConfig: {},
      subscribe: { args: [() => [() => undefined], () => [() => 1, () => undefined]] },
      explain: { args: [() => ['a'], () => [['a']]] },
      events: {},
    }),
    'ConfigManagerStatus.toJSON': { on: async () => (await started()).status },
  };
}
