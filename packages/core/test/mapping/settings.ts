import { metrics, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { describe, expect, it } from 'vitest';
import {
  AuthError,
  type CoordConfigInput,
  configCenterConfig,
  createCoordinator,
  defaultConfig,
  developmentConfig,
  distributedLockConfig,
  productionConfig,
  retryConfig,
  serviceRegistryConfig,
  TimeoutError,
  testConfig,
} from '../../src/index.js';
import type { Stage } from './stage.js';

export function presetsOfA(stage: Stage): void {
  const presets = {
    DefaultConfig: defaultConfig,
    DevelopmentConfig: developmentConfig,
    ProductionConfig: productionConfig,
    TestConfig: testConfig,
  };

  describe('Default/Development/Production/TestConfig', () => {
    it.each(Object.entries(presets))('%s', async (_name, preset) => {
      const patient = { dialTimeoutMs: 20_000, requestTimeoutMs: 20_000 }; // on a busy machine
      const config = preset({ ...stage.etcd.connectOptions, ...patient });
      await using made = await createCoordinator(config);
      const key = stage.unique();
      await using lock = await made.lock.acquire(key);
      expect(await lock.ttl()).toBeGreaterThan(config.distributedLock.defaultTtlMs / 2);
      expect(await lock.ttl()).toBeLessThanOrEqual(config.distributedLock.defaultTtlMs);
      expect(lock.etcdKey.startsWith('/locks/')).toBe(true);
    });
  });

  describe('NewServiceRegistryConfig … NewRetryConfig', () => {
    const make = (config: CoordConfigInput) => createCoordinator({ ...stage.etcd.connectOptions, ...config });

    it('NewServiceRegistryConfig', async () => {
      const serviceRegistry = serviceRegistryConfig({
        keyPrefix: '/my-services',
        ttlMs: 60_000,
        healthCheckIntervalMs: 20_000,
        enableHealthCheck: true,
      });
      await using made = await make({ serviceRegistry });
      const name = stage.unique();
      await made.registry.register({ name, id: 'one', address: '10.0.0.1:8080' });
      expect(await made.client.kv.get(`/my-services/${name}/one`)).toBeDefined();
    });

    it('NewDistributedLockConfig', async () => {
      const distributedLock = distributedLockConfig({
        keyPrefix: '/my-locks',
        defaultTtlMs: 20_000,
        renewIntervalMs: 5_000,
        enableReentrant: false,
      });
      await using made = await make({ distributedLock });
      expect((await made.lock.acquire(stage.unique())).etcdKey).toMatch(/^\/my-locks\//);
      await expect(made.lock.acquireReentrant('x')).rejects.toThrow('enableReentrant');
    });

    it('NewConfigCenterConfig', async () => {
      const configCenter = configCenterConfig({
        keyPrefix: '/my-config',
        enableVersioning: true,
        maxVersionHistory: 2,
        enableValidation: true,
      });
      await using made = await make({ configCenter });
      const key = stage.unique();
      for (const value of [1, 2, 3]) await made.config.set(key, value);
      expect((await made.config.getHistory(key)).map(({ version }) => version)).toEqual([3, 2]);
      expect(await made.client.kv.get(`/my-config/${key}`)).toBeDefined();
    });

    it('NewRetryConfig', async () => {
      const retry = retryConfig({ maxAttempts: 3, initialDelayMs: 20, maxDelayMs: 100, multiplier: 2 });
      await using made = await make({ retry });
      expect((await made.ping()).version).toBe(stage.etcd.version);
    });
  });
}

export function optionsOfA(stage: Stage): void {
  describe('LogLevel, EnableMetrics, EnableTracing, TLS, auth', () => {
    it('LogLevel', async () => {
      const lines: unknown[] = [];
      const logger = {
        error: () => {},
        warn: () => {},
        info: () => {},
        debug: (...args: unknown[]) => void lines.push(args[0]),
      };
      for (const logLevel of ['info', 'debug'] as const) {
        await using made = await createCoordinator({ ...stage.etcd.connectOptions, logLevel, logger });
        await made.lock.withLock(stage.unique(), () => undefined);
        if (logLevel === 'info') expect(lines).toEqual([]);
      }
      expect(lines).toContain('coord: lock acquire');
    });

    it('EnableMetrics', async () => {
      const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
      const reader = new PeriodicExportingMetricReader({ exporter });
      metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
      try {
        await using made = await createCoordinator({ ...stage.etcd.connectOptions, enableMetrics: true });
        await made.config.set(stage.unique(), 1);
        await reader.forceFlush();
        const names = exporter
          .getMetrics()
          .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((each) => each.metrics))
          .map(({ descriptor }) => descriptor.name);
        expect(names.some((name) => name.startsWith('coord.'))).toBe(true);
      } finally {
        metrics.disable();
        await reader.shutdown();
      }
    });

    it('EnableTracing', async () => {
      const exporter = new InMemorySpanExporter();
      const spanProcessors = [new SimpleSpanProcessor(exporter)];
      trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
      try {
        await using made = await createCoordinator({ ...stage.etcd.connectOptions, enableTracing: true });
        await made.client.kv.get(stage.unique());
        expect(exporter.getFinishedSpans().map(({ name }) => name)).toContain('coord.kv.get');
      } finally {
        trace.disable();
        await exporter.shutdown();
      }
    });

    it('TLS', async () => {
      const { endpoints, version, connectOptions } = stage.guarded;
      expect(endpoints[0]).toMatch(/^https:/);
      await using made = await createCoordinator(connectOptions);
      expect((await made.ping()).version).toBe(version);
      const { tls: _, ...plain } = connectOptions;
      await expect(createCoordinator({ ...plain, dialTimeoutMs: 20_000 })).rejects.toThrow('certificate');
    });

    it('Username, Password', async () => {
      const { connectOptions } = stage.guarded;
      await using made = await createCoordinator(connectOptions);
      const key = stage.unique();
      await made.config.set(key, 1);
      expect(await made.config.getValue(key)).toBe(1);
      const wrong = createCoordinator({ ...connectOptions, password: 'wrong' });
      await expect(wrong).rejects.toBeInstanceOf(AuthError);
    });
  });
}

export function optionsOfB(stage: Stage): void {
  describe('RetryConfig, Timeout, Username, Password', () => {
    it('RetryConfig', async () => {
      const retry = { maxAttempts: 5, initialDelayMs: 200, maxDelayMs: 5_000, multiplier: 2 };
      await using made = await createCoordinator({ ...stage.etcd.connectOptions, retry });
      expect((await made.ping()).version).toBe(stage.etcd.version);
    });

    it('Timeout', async () => {
      await using made = await createCoordinator({ ...stage.etcd.connectOptions, requestTimeoutMs: 300 });
      await stage.etcd.pause();
      try {
        await expect(made.client.kv.get('x')).rejects.toBeInstanceOf(TimeoutError);
      } finally {
        await stage.etcd.resume();
      }
    });

    it('Username, Password', async () => {
      await using made = await createCoordinator(stage.guarded.connectOptions);
      await using lock = await made.lock.acquire(stage.unique());
      expect(await lock.isHeld()).toBe(true);
    });
  });
}
