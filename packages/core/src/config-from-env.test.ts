import { readFileSync } from 'node:fs';
import { ValidationError, type ValidationIssue } from '@coord/client';
import { describe, expect, it } from 'vitest';
import { configFromEnv } from './config-from-env.js';
import { variableNames } from './env-variables.js';
import { defaultConfig, developmentConfig, productionConfig, testConfig } from './presets.js';

type Environment = Parameters<typeof configFromEnv>[0];

function issuesOf(env: Environment): readonly ValidationIssue[] {
  try {
    configFromEnv(env);
    return [];
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    return error.issues;
  }
}

const pathsOf = (env: Environment) => issuesOf(env).map(({ path }) => path);

describe('configFromEnv', () => {
  it('is the defaults when nothing is given, or nothing but blanks', () => {
    expect(configFromEnv({})).toEqual(defaultConfig());
    const blank = Object.fromEntries(variableNames().map((name) => [name, '']));
    expect(configFromEnv(blank)).toEqual(defaultConfig());
    const spaces = {
      ...blank,
      COORD_ENDPOINTS: ' ',
      COORD_RETRY_MULTIPLIER: '\n',
    };
    expect(configFromEnv(spaces)).toEqual(defaultConfig());
    expect(configFromEnv({ COORD_ENDPOINTS: undefined })).toEqual(defaultConfig());
  });

  it('reads process.env by itself', () => {
    const before = process.env.COORD_NAMESPACE;
    process.env.COORD_NAMESPACE = '/from-env';
    try {
      expect(configFromEnv().namespace).toBe('/from-env');
    } finally {
      if (before === undefined) delete process.env.COORD_NAMESPACE;
      else process.env.COORD_NAMESPACE = before;
    }
  });

  it.each([
    ['default', defaultConfig()],
    ['development', developmentConfig()],
    [' Production ', productionConfig({ endpoints: ['etcd:2379'] })],
    ['test', testConfig()],
  ])('begins with the preset %j', (name, expected) => {
    const env = { COORD_PRESET: name, COORD_ENDPOINTS: 'etcd:2379' };
    expect(configFromEnv(env)).toEqual({ ...expected, endpoints: ['etcd:2379'] });
  });

  it('has a variable for each option', () => {
    const env = {
      COORD_ENDPOINTS: 'https://etcd-1:2379, https://etcd-2:2379,',
      COORD_USERNAME: 'orders',
      COORD_PASSWORD: ' with spaces ',
      COORD_TLS_CA_FILE: '/tls/ca.pem',
      COORD_TLS_CERT_FILE: '/tls/client.pem',
      COORD_TLS_KEY_FILE: '/tls/client-key.pem',
      COORD_TLS_SERVER_NAME: 'etcd.internal',
      COORD_NAMESPACE: '/orders',
      COORD_DIAL_TIMEOUT_MS: '1000',
      COORD_REQUEST_TIMEOUT_MS: ' 2500 ',
      COORD_KEEP_ALIVE_TIME_MS: '20000',
      COORD_KEEP_ALIVE_TIMEOUT_MS: '1500.5',
      COORD_RETRY_MAX_ATTEMPTS: '3',
      COORD_RETRY_INITIAL_DELAY_MS: '10',
      COORD_RETRY_MAX_DELAY_MS: '100',
      COORD_RETRY_MULTIPLIER: '1.5',
      COORD_LOG_LEVEL: 'WARN',
      COORD_ENABLE_METRICS: 'yes',
      COORD_ENABLE_TRACING: 'ON',
      COORD_SERVICE_REGISTRY_KEY_PREFIX: '/my-services',
      COORD_SERVICE_REGISTRY_TTL_MS: '20000',
      COORD_SERVICE_REGISTRY_EMPTY_HOLD_MS: '0',
      COORD_SERVICE_REGISTRY_ENABLE_HEALTH_CHECK: '1',
      COORD_SERVICE_REGISTRY_HEALTH_CHECK_INTERVAL_MS: '1000',
      COORD_SERVICE_REGISTRY_SNAPSHOT_DIRECTORY: '/var/lib/orders',
      COORD_DISTRIBUTED_LOCK_KEY_PREFIX: '/my-locks',
      COORD_DISTRIBUTED_LOCK_DEFAULT_TTL_MS: '10000',
      COORD_DISTRIBUTED_LOCK_RENEW_INTERVAL_MS: '2000',
      COORD_DISTRIBUTED_LOCK_ENABLE_REENTRANT: 'false',
      COORD_DISTRIBUTED_LOCK_RAW_NAMES: 'true',
      COORD_CONFIG_CENTER_KEY_PREFIX: '/my-config',
      COORD_CONFIG_CENTER_ENABLE_VERSIONING: 'no',
      COORD_CONFIG_CENTER_ENABLE_VALIDATION: '0',
      COORD_CONFIG_CENTER_MAX_VERSION_HISTORY: '7',
    };
    expect(Object.keys({ COORD_PRESET: '', ...env }).sort()).toEqual(variableNames().sort());
    expect(configFromEnv(env)).toEqual({
      endpoints: ['https://etcd-1:2379', 'https://etcd-2:2379'],
      username: 'orders',
      password: ' with spaces ',
      tls: {
        caFile: '/tls/ca.pem',
        certFile: '/tls/client.pem',
        keyFile: '/tls/client-key.pem',
        serverName: 'etcd.internal',
      },
      namespace: '/orders',
      dialTimeoutMs: 1_000,
      requestTimeoutMs: 2_500,
      keepAliveTimeMs: 20_000,
      keepAliveTimeoutMs: 1_500.5,
      retry: { maxAttempts: 3, initialDelayMs: 10, maxDelayMs: 100, multiplier: 1.5 },
      logLevel: 'warn',
      enableMetrics: true,
      enableTracing: true,
      serviceRegistry: {
        keyPrefix: '/my-services',
        ttlMs: 20_000,
        emptyHoldMs: 0,
        enableHealthCheck: true,
        healthCheckIntervalMs: 1_000,
        snapshotDirectory: '/var/lib/orders',
      },
      distributedLock: {
        keyPrefix: '/my-locks',
        defaultTtlMs: 10_000,
        renewIntervalMs: 2_000,
        enableReentrant: false,
        rawNames: true,
      },
      configCenter: {
        keyPrefix: '/my-config',
        enableVersioning: false,
        enableValidation: false,
        maxVersionHistory: 7,
      },
    });
  });

  it('reports every problem at once, by the names of the variables', () => {
    const env = {
      COORD_PRESET: 'staging',
      COORD_ENDPOINT: 'etcd:2379',
      COORD_ENDPOINTS: 'etcd-1:2379,etcd-2',
      COORD_PASSWORD: 'hunter2',
      COORD_TLS_CERT_FILE: '/tls/client.pem',
      COORD_REQUEST_TIMEOUT_MS: '5s',
      COORD_DIAL_TIMEOUT_MS: '-1',
      COORD_RETRY_MAX_ATTEMPTS: '0x10',
      COORD_LOG_LEVEL: 'loud',
      COORD_ENABLE_METRICS: 'maybe',
      COORD_DISTRIBUTED_LOCK_RENEW_INTERVAL_MS: '20000',
      COORD_CONFIG_CENTER_KEY_PREFIX: 'config',
    };
    expect(pathsOf(env).sort()).toEqual([
      'COORD_CONFIG_CENTER_KEY_PREFIX',
      'COORD_DIAL_TIMEOUT_MS',
      'COORD_DISTRIBUTED_LOCK_RENEW_INTERVAL_MS',
      'COORD_ENABLE_METRICS',
      'COORD_ENDPOINT',
      'COORD_ENDPOINTS[1]',
      'COORD_LOG_LEVEL',
      'COORD_PRESET',
      'COORD_REQUEST_TIMEOUT_MS',
      'COORD_RETRY_MAX_ATTEMPTS',
      'COORD_TLS_KEY_FILE',
      'COORD_USERNAME',
    ]);
    expect(() => configFromEnv(env)).toThrow(
      'COORD_REQUEST_TIMEOUT_MS: must be a number in digits, such as 5000, got "5s"',
    );
  });

  it('never shows a password, wherever it is', () => {
    const env = {
      COORD_ENDPOINTS: 'http://root:hunter2@etcd:2379',
      COORD_PASSWORD: 'hunter2',
      COORD_PASSWORDS: 'hunter2',
      COORD_LOG_LEVEL: 'loud',
    };
    expect(pathsOf(env).sort()).toEqual([
      'COORD_ENDPOINTS[0]',
      'COORD_LOG_LEVEL',
      'COORD_PASSWORDS',
      'COORD_USERNAME',
    ]);
    expect(JSON.stringify(issuesOf(env))).not.toContain('hunter2');
  });

  it('wants the endpoints in production, beside whatever else is wrong', () => {
    expect(pathsOf({ COORD_PRESET: 'production' })).toEqual(['COORD_ENDPOINTS']);
    const env = { COORD_PRESET: 'production', COORD_ENDPOINTS: ',', COORD_ENABLE_TRACING: '?' };
    expect(pathsOf(env).sort()).toEqual(['COORD_ENABLE_TRACING', 'COORD_ENDPOINTS']);
  });

  it.each([
    ['COORD_ENDPOINT', 'COORD_ENDPOINTS'],
    ['coord_endpoints', 'COORD_ENDPOINTS'],
    ['COORD_ENPOINTS', 'COORD_ENDPOINTS'],
    ['COORD_USER', 'COORD_USERNAME'],
    ['COORD_PASS', 'COORD_PASSWORD'],
    ['COORD_REQUEST_TIMEOUT', 'COORD_REQUEST_TIMEOUT_MS'],
    ['COORD_LOGLEVEL', 'COORD_LOG_LEVEL'],
    ['COORD_DISTRIBUTED_LOCK_DEFAULT_TTL', 'COORD_DISTRIBUTED_LOCK_DEFAULT_TTL_MS'],
  ])('takes %s for a misspelt %s', (name, meant) => {
    expect(issuesOf({ [name]: 'x' })).toEqual([
      { path: name, message: `is no variable of Coord; did you mean ${meant}?` },
    ]);
  });

  it('leaves the variables of others alone', () => {
    const others = {
      COORD_PORT: 'tcp://10.0.0.1:2379',
      COORD_SERVICE_HOST: '10.0.0.1',
      COORD_SERVICE_PORT: '2379',
      COORD_PORT_2379_TCP_ADDR: '10.0.0.1',
      COORD_ETCD_VERSION: '3.5',
      COORD_ETCD_BIN: '/usr/bin/etcd',
      COORD_ETCD_IMAGE: 'etcd',
      COORD_TEST_BACKEND: 'binary',
      COORD_CACHE_DIR: '/tmp',
      COORDINATES: 'x',
      PATH: '/bin',
    };
    expect(configFromEnv(others)).toEqual(defaultConfig());
  });

  it('refuses what is no environment', () => {
    expect(() => Reflect.apply(configFromEnv, undefined, [null])).toThrow('env: must be an object, got null');
  });

  it('is described in the README, variable by variable', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    const [, section = ''] = readme.split('## From environment variables');
    const described = section.split('\n## ')[0]?.match(/(?<=\| `)COORD_\w+/g);
    expect(described?.sort()).toEqual(variableNames().sort());
  });
});
