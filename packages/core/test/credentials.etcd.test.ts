/** Logins run out and certificates are changed while every package is in use: nobody who uses them is told of it. */
import { copyFile, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EtcdServer, type EtcdTlsFiles, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type ConfigManager,
  type Coordinator,
  createConfigManager,
  createCoordinator,
} from '../src/index.js';

const TTL_MS = 6_000;
const LATER = { timeoutMs: 30_000 };
const INSTANCE = '/services/kept/a';

let etcd: EtcdServer;
let other: EtcdServer;
let folder: string;
let files: EtcdTlsFiles;

beforeAll(async () => {
  [etcd, other] = await Promise.all([
    startEtcd({ auth: true, authTokenTtlSeconds: 1, tls: true, args: ['--bcrypt-cost=4'] }),
    startEtcd({ tls: true }),
  ]);
  folder = await mkdtemp(join(tmpdir(), 'coord-credentials-'));
  const at = (name: string) => join(folder, name);
  files = { caFile: at('ca.pem'), certFile: at('client.pem'), keyFile: at('client-key.pem') };
  for (const name of ['caFile', 'certFile', 'keyFile'] as const)
    await copyFile(filesOf(etcd)[name], files[name]);
});
afterAll(async () => {
  await Promise.all([etcd?.stop(), other?.stop()]);
  await rm(folder, { recursive: true, force: true });
});

function filesOf({ tls }: EtcdServer): EtcdTlsFiles {
  if (tls === undefined) throw new Error('a server with TLS');
  return tls;
}

/** Everything that goes on, and how to see that it does. */
async function useEverything(coordinator: Coordinator) {
  const { client, config, lock, registry } = coordinator;
  const held = await lock.acquire('kept', { ttlMs: TTL_MS });
  const ends: string[] = [];
  held.signal.addEventListener('abort', () => ends.push('lock'));
  const registration = await registry.register(
    { name: 'kept', id: 'a', address: '10.0.0.1', port: 1 },
    { ttlMs: TTL_MS },
  );
  registration.subscribe((state) => ends.push(`registration ${state}`));
  const session = await client.session({ ttlMs: TTL_MS });
  session.signal.addEventListener('abort', () => ends.push('session'));
  const manager = createConfigManager({
    ...{ config, env: 'prod', service: 'kept', component: 'http', instance: 'a', announce: true },
    defaults: { round: 0 },
  });
  await manager.start();
  const seen = { keys: [] as number[], config: [] as number[] };
  const keys = client.watch('/kept');
  const changes = config.watch<{ round: number }>('prod/kept/http');
  await Promise.all([keys.ready, changes.ready]);
  const reading = [
    (async () => {
      for await (const { events } of keys) seen.keys.push(...events.map(({ kv }) => Number(kv.text())));
    })(),
    (async () => {
      for await (const { value } of changes) seen.config.push(value?.round ?? -1);
    })(),
  ];
  const before = await client.kv.get(INSTANCE);
  let rounds = 0;

  /** Each of them has gone on without a break, and sees what is new. */
  const goesOn = async () => {
    const round = ++rounds;
    await goOn(coordinator, manager, round);
    await eventually(() => {
      const all = Array.from({ length: round }, (_, i) => i + 1);
      expect(seen).toEqual({ keys: all, config: all });
    }, LATER);
    held.assertHeld();
    expect(ends).toEqual([]);
    expect(session.state).toBe('alive');
    await session.keepAlive({ timeoutMs: 20_000 });
    const { succeeded } = await held.txn({ success: [{ put: { key: '/guarded', value: String(round) } }] });
    expect(succeeded).toBe(true);
    const now = await client.kv.get(INSTANCE);
    expect([now?.createRevision, now?.leaseId]).toEqual([before?.createRevision, before?.leaseId]);
    expect(await registry.discover('kept')).toHaveLength(1);
  };
  const end = async () => {
    await held.release();
    await registration.deregister();
    await manager.stop();
    await Promise.all([keys.close(), changes.close(), session.close()]);
    await Promise.all(reading);
  };
  return { goesOn, end };
}

async function goOn(
  { client, config }: Coordinator,
  manager: ConfigManager<{ round: number }>,
  round: number,
) {
  await eventually(() => client.kv.put('/kept', String(round), { idempotent: true }), LATER);
  const { version } = await eventually(() => config.set('prod/kept/http', { round }), LATER);
  await manager.waitFor(version, LATER);
  expect(manager.current).toEqual({ round });
}

/** Replaces a file in one step, as a careful tool does. */
async function replace(from: string, to: string): Promise<void> {
  await copyFile(from, `${to}.new`);
  await rename(`${to}.new`, to);
}

it('locks, registrations, sessions, watches and managers go on over expired logins and new certificates', async () => {
  await using line = await startProxy({ target: etcd.target });
  const { username = '', password = '' } = etcd.auth ?? {};
  const login = { endpoints: [line.endpoint.replace(/^(?:http:\/\/)?/, 'https://')], username, password };
  await using coordinator = await createCoordinator({ ...login, tls: files });
  const { goesOn, end } = await useEverything(coordinator);
  await goesOn();

  // Nobody calls, the logins run out, and what is kept alive has to be for longer than its TTL. It is the time itself
  // that counts: who asked whether a login has run out would prolong it.
  await sleep(TTL_MS + 1_500);
  await goesOn();

  // They run out again, and the streams have to be opened anew, with a new login.
  await sleep(2_500);
  line.cut();
  await goesOn();

  // The server gets a certificate of another CA, and so do the clients; nobody's connection is asked for it yet.
  await copyFile(files.caFile, join(folder, 'old-ca.pem'));
  const [to, from] = [dirname(filesOf(etcd).caFile), dirname(filesOf(other).caFile)];
  await replace(join(from, 'server-key.pem'), join(to, 'server-key.pem'));
  await replace(join(from, 'server.pem'), join(to, 'server.pem'));
  for (const name of ['caFile', 'certFile', 'keyFile'] as const)
    await replace(filesOf(other)[name], files[name]);
  await goesOn();

  // Then all connections break, while the logins have run out once more.
  await sleep(2_500);
  line.cut();
  await goesOn();
  const old = { ...login, tls: { caFile: join(folder, 'old-ca.pem') }, dialTimeoutMs: 2_000 };
  await expect(createCoordinator(old)).rejects.toThrow(/is tls.caFile the CA of this server/);
  await end();
});
