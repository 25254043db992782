import { deepEqual, equal, ok } from 'node:assert/strict';
import {
  ConnectionError,
  type Coordinator,
  createCoordinator,
  defaultConfig,
  type ServiceInfo,
} from '@coord/core';
import { acquireLock, close, configure, getConfig, setConfig } from '@coord/core/global';

const endpoints = [process.env.COORD_ENDPOINTS ?? '127.0.0.1:2379'];
const name = `consumer-${process.pid}`;

async function oneCoordinator(): Promise<void> {
  const coordinator: Coordinator = await createCoordinator({ endpoints });
  try {
    await coordinator.registry.register({ name, address: '10.0.0.1', port: 8080 });
    const found: ServiceInfo[] = await coordinator.registry.discover(name);
    deepEqual(
      found.map(({ address, port }) => `${address}:${port}`),
      ['10.0.0.1:8080'],
    );
    const token: bigint = await coordinator.lock.withLock(name, async (lock) => lock.fencingToken);
    ok(token > 0n);
    await coordinator.config.set(`test/${name}/http`, { timeoutMs: 500 });
    deepEqual((await coordinator.config.get(`test/${name}/http`)).value, { timeoutMs: 500 });
    const connection = await coordinator.getConnection(name, { strategy: 'round_robin' });
    await connection.close();
  } finally {
    await coordinator.close();
  }
}

async function global(): Promise<void> {
  configure({ endpoints });
  const lock = await acquireLock(name, { timeoutMs: 10_000 });
  await setConfig(`test/${name}/last`, { token: lock.fencingToken.toString() });
  deepEqual((await getConfig(`test/${name}/last`)).value, { token: lock.fencingToken.toString() });
  await lock.release();
  await close();
}

async function main(): Promise<void> {
  equal(defaultConfig().distributedLock.keyPrefix, '/locks');
  await oneCoordinator();
  await global();
  const refused: unknown = await createCoordinator({ endpoints: ['127.0.0.1:1'] }).catch(
    (error: unknown) => error,
  );
  ok(refused instanceof ConnectionError);
  console.log('done');
}

void main();
