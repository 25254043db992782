import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  ConflictError,
  ConnectionError,
  createCoordinator,
  LockTimeoutError,
  TimeoutError,
  ValidationError,
} from '../../src/index.js';
import type { Stage } from './stage.js';

export function errorsOfA(stage: Stage): void {
  describe('errors: connection, validation, conflict, timeout', () => {
    it('connection', async () => {
      const nowhere = { endpoints: ['127.0.0.1:1'], dialTimeoutMs: 500 };
      await expect(createCoordinator(nowhere)).rejects.toBeInstanceOf(ConnectionError);
    });

    it('validation', async () => {
      await expect(createCoordinator({ dialTimeoutMs: -1 })).rejects.toBeInstanceOf(ValidationError);
    });

    it('conflict: a version, a lock', async () => {
      const name = stage.unique();
      await stage.coordinator.config.set(name, 1);
      await expect(stage.other.config.set(name, 2, { version: 0 })).rejects.toBeInstanceOf(ConflictError);
      await using _ = await stage.coordinator.lock.acquire(name);
      await expect(stage.other.lock.tryAcquire(name)).rejects.toBeInstanceOf(ConflictError);
    });

    it('timeout', async () => {
      const name = stage.unique();
      await using _ = await stage.coordinator.lock.acquire(name);
      const waiting = stage.other.lock.acquire(name, { timeoutMs: 50 });
      await expect(waiting).rejects.toBeInstanceOf(LockTimeoutError);
      await expect(waiting).rejects.toBeInstanceOf(TimeoutError);
    });
  });
}

export function logsOfB(stage: Stage): void {
  describe('detailed operation logs', () => {
    it('every lock, registry and config operation is logged with key, outcome and duration', async () => {
      const lines: { readonly message: unknown; readonly fields: unknown }[] = [];
      const log = (message: unknown, fields: unknown) => void lines.push({ message, fields });
      const logger = { error: log, warn: log, info: log, debug: log };
      const config = { ...stage.etcd.connectOptions, logLevel: 'debug' } as const;
      const name = stage.unique();
      await using made = await createCoordinator(config, { logger });
      const lock = await made.lock.acquire(name);
      await lock.release();
      await made.registry.register({ name, id: 'one', address: '10.0.0.1:8080' });
      await made.registry.discover(name);
      await made.registry.deregister(name, 'one');
      await made.config.set(name, 1);
      await made.config.get(name);
      await made.config.delete(name);
      const operations = ['lock acquire', 'lock release', 'registry register', 'registry discover'];
      for (const operation of [
        ...operations,
        'registry deregister',
        'config set',
        'config get',
        'config delete',
      ]) {
        const line = lines.find(({ message }) => message === `coord: ${operation}`);
        expect(line?.fields, operation).toMatchObject({
          key: expect.stringContaining(name),
          outcome: expect.any(String),
          durationMs: expect.any(Number),
        });
      }
    });
  });
}

/** What B promises is measured, not tested: a busy machine proves nothing. */
export function figuresOfB(): void {
  describe('figures', () => {
    const bench = (file: string) =>
      readFileSync(new URL(`../../../../bench/lib/${file}`, import.meta.url), 'utf8');

    it.each([
      ['lock p99 < 10 ms', 'lock-aims.ts', ['p99 of acquire', '< 10 ms']],
      ['discover < 5 ms', 'registry-aims.ts', ['p99', '< 5 ms']],
      ['config read < 3 ms', 'config-aims.ts', ['get at 5,000/s: p99', '< 3 ms']],
      ['10,000+ connections', 'client-options.ts', ['sessions and watchers held at once', "'10000'"]],
      ['5,000+ ops/s', 'lock-aims.ts', ['5,000/s']],
    ])('%s: a benchmark reports it', (_figure, file, texts) => {
      for (const text of texts) expect(bench(file)).toContain(text);
    });
  });
}
