/** Callers who may read instances, but not what is kept beside the services. */
import { connect, PermissionError } from '@coord/client';
import { createRegistry } from '@coord/registry';
import { registryInternalsOf } from '@coord/registry/internal';
import { eventually, startEtcd } from '@coord/testkit';
import { expect, it } from 'vitest';
import { getConnection, getServiceConfig, setServiceConfig } from '../src/index.js';
import { startWho, tally, WhoClient } from './who-service.js';

it('call all the same, by their own options, and by what is stored once they may read it', async () => {
  await using etcd = await startEtcd({ auth: true });
  for (const args of [
    ['role', 'add', 'caller'],
    ['role', 'grant-permission', 'caller', 'read', '--prefix=true', '/services/'],
    ['user', 'add', 'ada:lovelace'],
    ['user', 'grant-role', 'ada', 'caller'],
  ]) {
    await etcd.etcdctl(args);
  }
  await using root = await connect(etcd.connectOptions);
  const registry = createRegistry(root);
  const servers = [await startWho('a'), await startWho('b')];
  try {
    for (const { name, port } of servers) {
      await registry.register({ name: 'who', id: name, address: '127.0.0.1', port });
    }
    servers[1]?.refuse();
    const { revision } = await setServiceConfig(registry, 'who', {
      methodConfig: [{ name: [{}], hedgingPolicy: { maxAttempts: 3, nonFatalStatusCodes: ['UNAVAILABLE'] } }],
    });

    const warnings: string[] = [];
    const silent = () => undefined;
    const warn = (...args: unknown[]) => warnings.push(args.map(String).join(' '));
    await using ada = await connect({
      ...{ endpoints: etcd.endpoints, username: 'ada', password: 'lovelace' },
      logger: { debug: silent, info: silent, error: silent, warn },
    });
    const limited = createRegistry(ada);
    await expect(getServiceConfig(limited, 'who')).rejects.toBeInstanceOf(PermissionError);
    await expect(setServiceConfig(limited, 'who', {})).rejects.toBeInstanceOf(PermissionError);
    await using connection = await getConnection(limited, 'who');
    const whos = connection.client(WhoClient);
    await eventually(async () => expect((await tally(whos, 4)).errors).toEqual({ UNAVAILABLE: 2 }));
    expect(registryInternalsOf(limited)?.serviceConfigs.known).toBe(true); // or each new channel would wait for it
    expect(warnings.filter((text) => text.includes('service configs not followed'))).not.toEqual([]);

    await etcd.etcdctl(['role', 'grant-permission', 'caller', 'read', '--prefix=true', '/coord/registry/']);
    await eventually(() => expect(connection.serviceConfig.storedRevision).toBe(revision), {
      timeoutMs: 30_000,
    });
    await eventually(async () => expect((await tally(whos, 4)).errors).toEqual({}));
  } finally {
    for (const server of servers) server.kill();
  }
});
