import { deepEqual, equal, ok } from 'node:assert/strict';
import { connect } from '@coord/client';
import { type ConfigCenter, type ConfigValue, createConfigCenter, VersionConflictError } from '@coord/config';
import { type ConfigManager, createConfigManager } from '@coord/config-manager';

const endpoints = [process.env.COORD_ENDPOINTS ?? '127.0.0.1:2379'];

interface Settings {
  readonly greeting: string;
  readonly timeoutMs: number;
}

async function main(): Promise<void> {
  const client = await connect({ endpoints });
  const config: ConfigCenter = createConfigCenter(client);
  const service = `consumer-${process.pid}`;
  const key = `test/${service}/http`;
  const defaults: Settings = { greeting: 'hello', timeoutMs: 1_000 };
  const manager: ConfigManager<Settings> = createConfigManager({
    config,
    ...{ env: 'test', service, component: 'http', defaults },
    validate: (next) => (next.timeoutMs > 60_000 ? 'timeoutMs is more than a minute' : undefined),
  });
  try {
    await config.set(key, { timeoutMs: 500 });
    const read: ConfigValue<{ timeoutMs: number }> = await config.get(key);
    equal(read.version, 1);
    await manager.start();
    const seen: number[] = [];
    manager.subscribe((next) => {
      seen.push(next.timeoutMs);
    });
    const { version } = await config.compareAndSet(key, { timeoutMs: 250 }, 1);
    await manager.waitFor(version, { timeoutMs: 10_000 });
    deepEqual(manager.current, { greeting: 'hello', timeoutMs: 250 });
    deepEqual(seen, [250]);
    const refused: unknown = await config.compareAndSet(key, {}, 1).catch((error: unknown) => error);
    ok(refused instanceof VersionConflictError);
    await config.delete(key);
  } finally {
    await manager.stop();
    await config.close();
    await client.close();
  }
  console.log('done');
}

void main();
