import { ValidationError } from '@coord/client';
import { describe, expect, it } from 'vitest';
import { checkConfig } from './check-config.js';
import type { CoordConfigInput } from './config.js';
import { createCoordinator } from './create-coordinator.js';
import { defaultConfig } from './presets.js';

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

function messageOf(config: CoordConfigInput): string {
  try {
    checkConfig(config);
    return '';
  } catch (error) {
    return String(error);
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
    expect(pathsOf(fromJson('"etcd:2379"'))).toEqual(['config']);
    expect(pathsOf(fromJson('[]'))).toEqual(['config']);
  });

  it('reports misspelt options deep inside, too, beside whatever else is wrong there', () => {
    const config = fromJson(
      `{ "retry": { "maxAttempt": 1, "multiplier": 0 }, "tls": { "caPath": "a", "certFile": 5 },
         "configCenter": { "encryption": { "keys": { "any-name": "x" }, "curent": "any-name" } },
         "__proto__": {}, "constructor": 1 }`,
    );
    expect(pathsOf(config).sort()).toEqual([
      '__proto__',
      'configCenter.encryption',
      'configCenter.encryption.curent',
      'constructor',
      'retry.maxAttempt',
      'retry.multiplier',
      'tls.caPath',
      'tls.certFile',
      'tls.keyFile',
    ]);
  });

  it.each([
    ['retry', 'tls', 'serviceRegistry', 'distributedLock', 'configCenter'].map((name) => [name, 'text']),
    ['retry', 'tls', 'serviceRegistry', 'distributedLock', 'configCenter'].map((name) => [name, []]),
    ['retry', 'tls', 'serviceRegistry', 'distributedLock', 'configCenter'].map((name) => [name, null]),
  ])('reports every section of a wrong type at once', (...sections) => {
    const config = JSON.stringify(Object.fromEntries(sections));
    expect(pathsOf(fromJson(config))).toEqual(expect.arrayContaining(sections.map(([name]) => name)));
  });

  it('reports a broken codec beside whatever else is wrong in its section', () => {
    const config = fromJson('{ "serviceRegistry": { "codec": 5, "ttlMs": 0 } }');
    expect(pathsOf(config)).toEqual(['serviceRegistry.codec', 'serviceRegistry.ttlMs']);
  });

  it('reports a configuration that cannot even be read', () => {
    const config = {
      get endpoints(): string[] {
        throw new Error('no such secret');
      },
    };
    expect(pathsOf(config)).toEqual(['config']);
    expect(() => checkConfig(config)).toThrow('no such secret');
  });

  it('returns a copy, which later changes do not reach', () => {
    const secret = new Uint8Array(32).fill(7);
    const given = {
      namespace: 'a',
      endpoints: ['a:1'],
      retry: { maxAttempts: 1 },
      distributedLock: { defaultTtlMs: 5_000 },
      configCenter: { encryption: { keys: { k: secret }, current: 'k' } },
    };
    const before = structuredClone(given);
    const checked = checkConfig(given);
    given.namespace = 'b';
    given.endpoints[0] = 'nonsense';
    given.retry.maxAttempts = -1;
    given.distributedLock.defaultTtlMs = -1;
    secret.fill(0);
    expect(checked).toEqual(before);
  });

  it('leaves what has a life of its own as it is', () => {
    const logger = { lines: [], error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };
    const codec = { name: 'mine', keyPrefix: '/mine', decode: () => undefined };
    const checked = checkConfig({ logger, serviceRegistry: { codec } });
    expect(checked.logger).toBe(logger);
    expect(checked.serviceRegistry?.codec).toBe(codec);
  });

  it('never shows a password', () => {
    const config = {
      username: 'root',
      password: 'hunter2',
      dialTimeoutMs: 0,
      endpoints: ['http://root:hunter2@etcd:2379', 'root:hunter2@etcd:2379'],
    };
    expect(pathsOf(config)).toEqual(['endpoints[0]', 'endpoints[1]', 'dialTimeoutMs']);
    expect(messageOf(config)).not.toContain('hunter2');
    expect(messageOf({ ...config, password: JSON.parse('5') })).toContain('…@etcd:2379');
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
