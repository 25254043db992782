import { ValidationError } from '@coord/client';
import { goKratosCodec } from '@coord/registry';
import { describe, expect, it } from 'vitest';
import { defaultConfig } from './presets.js';
import {
  configCenterConfig,
  distributedLockConfig,
  retryConfig,
  serviceRegistryConfig,
} from './section-configs.js';

const BUILDERS = {
  serviceRegistry: serviceRegistryConfig,
  distributedLock: distributedLockConfig,
  configCenter: configCenterConfig,
  retry: retryConfig,
} as const;

/** What a caller without types might pass. */
function pathsOf(build: (options?: object) => unknown, options: unknown): string[] {
  try {
    Reflect.apply(build, undefined, [options]);
    return [];
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    return error.issues.map(({ path }) => path);
  }
}

describe('the builders of sections', () => {
  it.each(Object.keys(BUILDERS) as (keyof typeof BUILDERS)[])('%s: complete, and new each time', (name) => {
    expect(BUILDERS[name]()).toEqual(defaultConfig()[name]);
    expect(BUILDERS[name]({})).toEqual(defaultConfig()[name]);
    expect(BUILDERS[name]()).not.toBe(BUILDERS[name]());
  });

  it('keep what is given', () => {
    const codec = goKratosCodec();
    expect(serviceRegistryConfig({ codec, ttlMs: 60_000, emptyHoldMs: 0 })).toEqual({
      ...defaultConfig().serviceRegistry,
      codec,
      keyPrefix: codec.keyPrefix,
      ttlMs: 60_000,
      emptyHoldMs: 0,
    });
    expect(distributedLockConfig({ renewIntervalMs: 1_000, enableReentrant: false })).toEqual({
      ...defaultConfig().distributedLock,
      renewIntervalMs: 1_000,
      enableReentrant: false,
    });
    expect(configCenterConfig({ enableVersioning: false }).enableVersioning).toBe(false);
    expect(retryConfig({ multiplier: 1.5 }).multiplier).toBe(1.5);
  });

  it.each([
    ['serviceRegistry', { ttlMs: 0, keyPrefix: '/', ttl: 5 }, ['keyPrefix', 'ttl', 'ttlMs']],
    [
      'distributedLock',
      { defaultTtlMs: 2_000, renewIntervalMs: 1_500, owner: 1 },
      ['owner', 'renewIntervalMs'],
    ],
    [
      'configCenter',
      { maxVersionHistory: 0, encryption: { keys: {}, curent: 'a' } },
      ['encryption', 'encryption.curent', 'maxVersionHistory'],
    ],
    ['retry', { maxAttempts: 0.5, initialDelay: 5 }, ['initialDelay', 'maxAttempts']],
    ['retry', null, ['retry']],
    ['distributedLock', 5, ['distributedLock']],
    ['configCenter', [], ['configCenter']],
  ] as const)('%s refuses %j with every problem at once', (name, options, paths) => {
    expect(pathsOf(BUILDERS[name], options).sort()).toEqual(paths);
  });
});
