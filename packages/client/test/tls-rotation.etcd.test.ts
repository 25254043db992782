import { copyFile, mkdtemp, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type EtcdServer, type EtcdTlsFiles, eventually, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect, createClient, type Logger } from '../src/index.js';

let strict: EtcdServer;
let other: EtcdServer;
let folder: string;
let files: EtcdTlsFiles;
const closing: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  [strict, other] = await Promise.all([
    startEtcd({ tls: { clientCertAuth: true } }),
    startEtcd({ tls: true }),
  ]);
});
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'coord-tls-'));
  const at = (name: string) => join(folder, name);
  files = { caFile: at('ca.pem'), certFile: at('client.pem'), keyFile: at('client-key.pem') };
});
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
  await rm(folder, { recursive: true, force: true });
});
afterAll(async () => {
  await Promise.all([strict?.stop(), other?.stop()]);
});

function filesOf({ tls }: EtcdServer): EtcdTlsFiles {
  if (tls === undefined) throw new Error('a server with TLS');
  return tls;
}

/** Replaces a file in one step, as a careful tool does. */
async function replace(from: string, to: string): Promise<void> {
  await copyFile(from, `${to}.new`);
  await rename(`${to}.new`, to);
}

async function giveClient(server: EtcdServer): Promise<void> {
  const { caFile, certFile, keyFile } = filesOf(server);
  await replace(caFile, files.caFile);
  await replace(certFile, files.certFile);
  await replace(keyFile, files.keyFile);
}

function recorder(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const note = (message: unknown) => void lines.push(String(message));
  return { logger: { error: note, warn: note, info: note, debug: () => undefined }, lines };
}

const REFUSED = /TLS files have changed, but are of no use/;

describe('TLS files that change', () => {
  it('a new CA: the next connection uses it, and the client goes on without being made anew', async () => {
    const server = await startEtcd({ tls: true });
    closing.push({ close: () => server.stop() });
    const proxy = await startProxy({ target: server.endpoint });
    closing.push(proxy);
    await giveClient(server);
    const client = await connect({ endpoints: [proxy.endpoint], tls: files });
    closing.push(client);
    const watch = client.watch({ prefix: '/rotated/' });
    await watch.ready;

    // The server gets a certificate of another CA; etcd reads the files at each handshake.
    const [to, from] = [dirname(filesOf(server).caFile), dirname(filesOf(other).caFile)];
    await replace(join(from, 'server-key.pem'), join(to, 'server-key.pem'));
    await replace(join(from, 'server.pem'), join(to, 'server.pem'));
    await client.kv.put('/rotated/0', 'x'); // the open connection stays
    proxy.cut();
    await eventually(() =>
      expect(client.kv.get('a', { timeoutMs: 1_000 })).rejects.toThrow(/is tls.caFile the CA of this server/),
    );
    await giveClient(other);
    await eventually(() => client.kv.put('/rotated/1', 'x'), { timeoutMs: 20_000 });
    const seen: string[] = [];
    for await (const { events } of watch) {
      seen.push(...events.map(({ key }) => key));
      if (seen.includes('/rotated/1')) break;
    }
    expect(seen).toEqual(['/rotated/0', '/rotated/1']);
  });

  it('a new client certificate: the next connection shows it', async () => {
    await giveClient(other);
    await replace(filesOf(strict).caFile, files.caFile);
    const client = createClient({ endpoints: strict.endpoints, tls: files });
    closing.push(client);
    await expect(client.kv.get('a', { timeoutMs: 1_000 })).rejects.toThrow(/refuses the client certificate/);
    await giveClient(strict);
    await eventually(() => client.kv.put('/rotated/client', 'x'), { timeoutMs: 20_000 });
  });

  it('half-written or missing ones: the old ones are kept, and it is said once', async () => {
    const proxy = await startProxy({ target: strict.endpoint });
    closing.push(proxy);
    await giveClient(strict);
    const { logger, lines } = recorder();
    const client = await connect({ endpoints: [proxy.endpoint], tls: files, logger });
    closing.push(client);
    const refusals = () => lines.filter((line) => REFUSED.test(line)).length;
    const reconnect = async () => {
      proxy.cut();
      await eventually(() => proxy.connections === 0);
      await eventually(() => client.kv.get('a'), { timeoutMs: 20_000 });
    };

    const pem = await readFile(files.certFile);
    await writeFile(files.certFile, pem.subarray(0, pem.length / 2));
    await reconnect();
    await reconnect();
    expect(refusals()).toBe(1);
    await replace(filesOf(other).keyFile, files.keyFile); // the key is there before its certificate
    await reconnect();
    expect(refusals()).toBe(2);
    await rm(files.caFile);
    await reconnect();
    expect(refusals()).toBe(3);

    await giveClient(strict);
    await reconnect();
    expect(refusals()).toBe(3);
    expect(lines.some((line) => line.includes('new connections use them'))).toBe(true);
  });

  it.each([
    ['gone', (file: string) => rm(file)],
    ['half written', (file: string) => writeFile(file, '-----BEGIN')],
    [
      'out of reach',
      async (file: string) => {
        await rm(file);
        await symlink(file, file); // what stat says of it is an error, and not that it is missing
      },
    ],
  ])(
    'a connection made for a silent one while the certificate is %s uses the one before',
    async (_, spoil) => {
      await using proxy = await startProxy({ target: strict.endpoint });
      await giveClient(strict);
      const { logger, lines } = recorder();
      await using client = await connect({ endpoints: [proxy.endpoint], tls: files, logger });
      await using session = await client.session({ ttlMs: 8_000 });
      await spoil(files.certFile);
      proxy.blackholeOpen();
      // Of the keepalive too: it is a timer that finds the line silent.
      const lost = client.kv.put('/tls/rotated', '1', { timeoutMs: 4_000 });
      await expect(lost).rejects.toMatchObject({ name: 'TimeoutError', outcome: 'unknown' });
      await client.kv.put('/tls/rotated', '2');
      await session.keepAlive({ timeoutMs: 5_000 });
      expect(proxy.accepted).toBe(2);
      expect(lines.filter((line) => REFUSED.test(line))).toHaveLength(1);
    },
  );
});
