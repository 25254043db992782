import { createClient, ValidationError } from '@coord/client';
import { internalsOf } from '@coord/client/internal';
import { describe, expect, it } from 'vitest';
import { checkConfig } from './check-config.js';
import { type CoordConfigInput, defaultConfig } from './config.js';
import { createCoordinator } from './create-coordinator.js';

/** What a caller without types might pass. */
function fromJson(json: string): CoordConfigInput {
  return JSON.parse(json);
}

function pathsOf(config: CoordConfigInput): string[] {
  try {
    checkConfig(config);
    return [];
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    return error.issues.map((issue) => issue.path);
  }
}

describe('checkConfig', () => {
  it('accepts nothing, the defaults, and a part of a section', () => {
    expect(pathsOf({})).toEqual([]);
    expect(pathsOf(defaultConfig())).toEqual([]);
    expect(pathsOf({ endpoints: ['etcd:2379'], distributedLock: { defaultTtlMs: 5_000 } })).toEqual([]);
    expect(pathsOf({ serviceRegistry: undefined, retry: { maxAttempts: 2 } })).toEqual([]);
  });

  it('reports the problems of every part at once, with their paths', () => {
    const paths = pathsOf({
      endpoints: ['nonsense'],
      requestTimeoutMs: -1,
      retry: { maxAttempts: 0 },
      serviceRegistry: { ttlMs: 0, keyPrefix: '/' },
      distributedLock: { defaultTtlMs: Number.NaN },
      configCenter: { maxVersionHistory: 0 },
    });
    expect(paths.sort()).toEqual([
      'configCenter.maxVersionHistory',
      'distributedLock.defaultTtlMs',
      'endpoints[0]',
      'requestTimeoutMs',
      'retry.maxAttempts',
      'serviceRegistry.keyPrefix',
      'serviceRegistry.ttlMs',
    ]);
  });

  it('reports options that do not exist, and sections that are no objects', () => {
    const config = fromJson(
      '{ "endpoint": "a:1", "distributedLock": { "defaultTTL": 1 }, "configCenter": 5, "serviceRegistry": null }',
    );
    expect(pathsOf(config).sort()).toEqual([
      'configCenter',
      'distributedLock.defaultTTL',
      'endpoint',
      'serviceRegistry',
    ]);
    expect(() => checkConfig(config)).toThrow(
      'distributedLock.defaultTTL: is no option; there are keyPrefix, defaultTtlMs, renewIntervalMs',
    );
    expect(pathsOf(fromJson('null'))).toEqual(['config']);
    expect(pathsOf(fromJson('[]'))).toEqual(['config']);
  });

  it('returns a copy, which later changes do not reach', () => {
    const given = { namespace: 'a', distributedLock: { defaultTtlMs: 5_000 } };
    const checked = checkConfig(given);
    given.namespace = 'b';
    given.distributedLock.defaultTtlMs = -1;
    expect(checked).toMatchObject({ namespace: 'a', distributedLock: { defaultTtlMs: 5_000 } });
  });

  it('never shows a password', () => {
    const config = { username: 'root', password: 'hunter2', dialTimeoutMs: 0 };
    expect(() => checkConfig(config)).toThrow(expect.not.stringContaining('hunter2'));
  });
});

describe('createCoordinator', () => {
  it('rejects a bad configuration, and does not throw', async () => {
    const made = createCoordinator({ distributedLock: { defaultTtlMs: -1 } });
    await expect(made).rejects.toMatchObject({
      name: 'ValidationError',
      issues: [{ path: 'distributedLock.defaultTtlMs' }],
    });
  });
});

describe('defaultConfig', () => {
  it('says what the client does without options', () => {
    const { serviceRegistry, distributedLock, configCenter, ...client } = defaultConfig();
    expect([serviceRegistry, distributedLock, configCenter]).not.toContain(undefined);
    expect(internalsOf(createClient(client)).options).toEqual(internalsOf(createClient()).options);
  });

  it('is a new object at each call', () => {
    expect(defaultConfig()).toEqual(defaultConfig());
    expect(defaultConfig().distributedLock).not.toBe(defaultConfig().distributedLock);
  });
});
