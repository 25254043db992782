import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EtcdServer, startEtcd, startProxy } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, ConnectionError, connect, ValidationError } from '../src/index.js';

let etcd: EtcdServer;
let other: EtcdServer;

beforeAll(async () => {
  [etcd, other] = await Promise.all([startEtcd({ tls: { clientCertAuth: true } }), startEtcd({ tls: true })]);
});
afterAll(async () => {
  await Promise.all([etcd?.stop(), other?.stop()]);
});

async function refusal(options: ClientOptions): Promise<unknown> {
  const attempt = connect({ dialTimeoutMs: 1_500, ...options });
  return await attempt.then(
    (client) => client.close().then(() => expect.fail('connected')),
    (error: unknown) => error,
  );
}

describe('TLS', () => {
  it('connects with CA and client certificate, and watches', async () => {
    const client = await connect(etcd.connectOptions);
    const watch = client.watch('/tls/a');
    await watch.ready;
    await client.kv.put('/tls/a', 'b');
    for await (const { events } of watch) {
      expect(events[0]?.kv.text()).toBe('b');
      break;
    }
    await client.close();
  });

  it('a foreign CA is refused with a reason that says so', async () => {
    const error = await refusal({ ...etcd.connectOptions, tls: { ...etcd.tls, caFile: other.tls?.caFile } });
    expect(error).toBeInstanceOf(ConnectionError);
    expect(String(error)).toMatch(/certificate/i);
  });

  it('a missing client certificate is refused with a reason', async () => {
    const error = await refusal({ ...etcd.connectOptions, tls: { caFile: etcd.tls?.caFile } });
    expect(error).toBeInstanceOf(ConnectionError);
    expect(String(error)).toMatch(/certificate|alert|closed|reset|dropped/i);
  });

  it('plain text to a TLS server is refused with a reason', async () => {
    const error = await refusal({ endpoints: etcd.endpoints.map((url) => url.replace('https', 'http')) });
    expect(error).toBeInstanceOf(ConnectionError);
    expect(String(error)).toContain('does it want https://?');
  });

  it('an unreadable file is named', async () => {
    const error = await refusal({ ...etcd.connectOptions, tls: { caFile: '/nowhere/ca.pem' } });
    expect(error).toBeInstanceOf(ValidationError);
    expect(String(error)).toContain('/nowhere/ca.pem');
  });

  it('what is no certificate is refused as such', async () => {
    const tls = { ...etcd.tls, certFile: undefined, cert: 'no certificate' };
    const error = await refusal({ ...etcd.connectOptions, tls });
    expect(error).toBeInstanceOf(ValidationError);
    expect(String(error)).toContain('tls: cannot be used');
  });

  it.each([
    ['gone', (file: string) => rm(file)],
    ['half written', (file: string) => writeFile(file, '-----BEGIN')],
  ])('a connection made while the certificate is %s uses the one before', async (_, replace) => {
    const folder = await mkdtemp(join(tmpdir(), 'coord-tls-'));
    const [caFile, certFile, keyFile] = ['ca', 'cert', 'key'].map((name) => join(folder, name));
    if (!caFile || !certFile || !keyFile || !etcd.tls?.certFile || !etcd.tls.keyFile) throw new Error();
    await copyFile(etcd.tls.caFile, caFile);
    await copyFile(etcd.tls.certFile, certFile);
    await copyFile(etcd.tls.keyFile, keyFile);
    await using proxy = await startProxy({ target: etcd.endpoint });
    const warnings: unknown[] = [];
    const quiet = { error: () => {}, info: () => {}, debug: () => {} };
    await using client = await connect({
      endpoints: [proxy.endpoint],
      tls: { caFile, certFile, keyFile },
      logger: { ...quiet, warn: (message: unknown) => warnings.push(message) },
    });
    await using session = await client.session({ ttlMs: 8_000 });
    await replace(certFile);
    proxy.blackholeOpen();
    // Of the keepalive too: it is a timer that finds the line silent.
    const lost = client.kv.put('/tls/rotated', '1', { timeoutMs: 4_000 });
    await expect(lost).rejects.toMatchObject({ name: 'TimeoutError', outcome: 'unknown' });
    await client.kv.put('/tls/rotated', '2');
    await session.keepAlive({ timeoutMs: 5_000 });
    expect(proxy.accepted).toBe(2);
    expect(warnings).toContain('coord: TLS files cannot be used now, going on with those read before');
    await rm(folder, { recursive: true });
  });
});
