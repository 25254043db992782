import { createClient, ValidationError } from '@coord/client';
import { internalsOf } from '@coord/client/internal';
import { goKratosCodec } from '@coord/registry';
import { describe, expect, it } from 'vitest';
import type { CoordConfig, CoordConfigInput } from './config.js';
import { createCoordinator } from './create-coordinator.js';
import { configure } from './global.js';
import { defaultConfig, developmentConfig, productionConfig, testConfig } from './presets.js';

const PRESETS = { defaultConfig, developmentConfig, productionConfig, testConfig };
const same = Symbol('as the default');

type Row = readonly [
  option: string,
  byDefault: unknown,
  development: unknown,
  production: unknown,
  test: unknown,
];

/** The table of the README, cell by cell. */
const TABLE: readonly Row[] = [
  ['endpoints', ['127.0.0.1:2379'], same, [], same],
  ['dialTimeoutMs', 5_000, 3_000, 5_000, 1_000],
  ['requestTimeoutMs', 5_000, 5_000, 10_000, 2_000],
  ['retry.maxAttempts', 5, same, 8, 2],
  ['retry.initialDelayMs', 200, same, 200, 20],
  ['retry.maxDelayMs', 5_000, same, 10_000, 200],
  ['retry.multiplier', 2, same, 2, 2],
  ['logLevel', 'info', 'debug', 'info', 'error'],
  ['enableMetrics', false, false, true, false],
  ['enableTracing', false, false, true, false],
  ['distributedLock.keyPrefix', '/locks', same, same, same],
  ['distributedLock.defaultTtlMs', 30_000, 30_000, 30_000, 5_000],
  ['distributedLock.enableReentrant', true, true, true, true],
  ['serviceRegistry.keyPrefix', '/services', same, same, same],
  ['serviceRegistry.ttlMs', 15_000, same, same, 5_000],
  ['serviceRegistry.healthCheckIntervalMs', 5_000, same, same, same],
  ['serviceRegistry.enableHealthCheck', false, same, true, same],
  ['configCenter.keyPrefix', '/config', same, same, same],
  ['configCenter.maxVersionHistory', 100, 20, 100, 10],
  ['configCenter.enableVersioning', true, true, true, true],
  ['configCenter.enableValidation', true, true, true, true],
];

const CELLS = TABLE.flatMap(([option, byDefault, ...others]) =>
  Object.entries(PRESETS).map(([name, preset], column) => {
    const cell = [byDefault, ...others][column];
    return { option, name, preset, expected: cell === same ? byDefault : cell };
  }),
);

/** Every option that the configuration has, as `distributedLock.keyPrefix`. */
function optionsOf(config: object, prefix = ''): string[] {
  return Object.entries(config).flatMap(([name, value]) =>
    typeof value === 'object' && !Array.isArray(value)
      ? optionsOf(value, `${prefix}${name}.`)
      : `${prefix}${name}`,
  );
}

function issuesOf(make: () => unknown): readonly string[] {
  try {
    make();
  } catch (error) {
    if (error instanceof ValidationError) return error.issues.map(({ path }) => path);
    throw error;
  }
  return [];
}

describe('the presets', () => {
  it.each(CELLS)('$name: $option is $expected', ({ option, preset, expected }) => {
    const value = option
      .split('.')
      .reduce<unknown>((from, name) => Reflect.get(Object(from), name), preset());
    expect(value).toEqual(expected);
  });

  it.each(Object.entries(PRESETS))('%s says nothing beyond the table', (_name, preset) => {
    expect(optionsOf(preset()).sort()).toEqual(TABLE.map(([option]) => option).sort());
  });

  it('are new objects at each call, down to the sections', () => {
    for (const preset of Object.values(PRESETS)) {
      expect(preset()).toEqual(preset());
      for (const name of ['retry', 'endpoints', 'serviceRegistry', 'configCenter'] as const) {
        expect(preset()[name]).not.toBe(preset()[name]);
      }
    }
  });

  it('without options the client does what defaultConfig says', () => {
    const { serviceRegistry, distributedLock, configCenter, ...client } = defaultConfig();
    expect([serviceRegistry, distributedLock, configCenter]).not.toContain(undefined);
    expect(internalsOf(createClient(client)).options).toEqual(internalsOf(createClient()).options);
  });
});

describe('overrides', () => {
  it('are laid over the preset, section by section; what is undefined says nothing', () => {
    const config = productionConfig({
      endpoints: ['etcd-1:2379', 'etcd-2:2379'],
      requestTimeoutMs: undefined,
      retry: { maxAttempts: 3 },
      distributedLock: { keyPrefix: '/my-locks', defaultTtlMs: undefined },
      configCenter: undefined,
    });
    const expected: Partial<CoordConfig> = {
      endpoints: ['etcd-1:2379', 'etcd-2:2379'],
      requestTimeoutMs: 10_000,
      retry: { maxAttempts: 3, initialDelayMs: 200, maxDelayMs: 10_000, multiplier: 2 },
      distributedLock: { keyPrefix: '/my-locks', defaultTtlMs: 30_000, enableReentrant: true },
    };
    expect(config).toEqual({ ...productionConfig(), ...expected });
  });

  it('leave the key prefix to a codec, which knows where its system keeps the instances', () => {
    const codec = goKratosCodec();
    expect(defaultConfig({ serviceRegistry: { codec } }).serviceRegistry).toMatchObject({
      codec,
      keyPrefix: codec.keyPrefix,
    });
    const serviceRegistry = { codec, keyPrefix: '/elsewhere' };
    expect(defaultConfig({ serviceRegistry }).serviceRegistry.keyPrefix).toBe('/elsewhere');
  });

  it('are checked, all at once, also against what the preset says', () => {
    const bad = { retry: { maxAttempts: 0 }, configCenter: { maxVersionHistory: 0 } };
    expect(issuesOf(() => developmentConfig(bad))).toEqual([
      'retry.maxAttempts',
      'configCenter.maxVersionHistory',
    ]);
    const late: CoordConfigInput = { distributedLock: { renewIntervalMs: 10_000 } };
    expect(issuesOf(() => productionConfig(late))).toEqual([]);
    expect(issuesOf(() => testConfig(late))).toEqual(['distributedLock.renewIntervalMs']);
  });
});

describe('productionConfig', () => {
  it('wants endpoints: whoever forgets them is told before anything is sent', async () => {
    await expect(createCoordinator(productionConfig())).rejects.toMatchObject({
      name: 'ValidationError',
      issues: [{ path: 'endpoints' }],
    });
    expect(issuesOf(() => configure(productionConfig()))).toEqual(['endpoints']);
    expect(issuesOf(() => configure({ ...productionConfig(), endpoints: ['etcd:2379'] }))).toEqual([]);
  });
});
