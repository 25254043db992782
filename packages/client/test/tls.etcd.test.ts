import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, ConnectionError, connect, ValidationError } from '../src/index.js';
import { certify } from './certificates.js';

let etcd: EtcdServer;
let other: EtcdServer;
let plain: EtcdServer;

beforeAll(async () => {
  [etcd, other, plain] = await Promise.all([
    startEtcd({ tls: { clientCertAuth: true } }),
    startEtcd({ tls: true }),
    startEtcd(),
  ]);
});
afterAll(async () => {
  await Promise.all([etcd?.stop(), other?.stop(), plain?.stop()]);
});

/** What connecting fails with: at once, however long it may take. */
async function refusal(options: ClientOptions): Promise<unknown> {
  const startedAt = performance.now();
  const error: unknown = await connect({ dialTimeoutMs: 30_000, ...options }).then(
    (client) => client.close().then(() => expect.fail('connected')),
    (cause: unknown) => cause,
  );
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  return error;
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

  const mistakes: [string, () => ClientOptions, RegExp][] = [
    [
      'a foreign CA',
      () => ({ ...etcd.connectOptions, tls: { ...etcd.tls, caFile: other.tls?.caFile } }),
      /certificate.*is tls.caFile the CA of this server/,
    ],
    [
      'no CA for a server whose CA nobody knows',
      () => ({ endpoints: other.endpoints }),
      /certificate.*is tls.caFile the CA of this server/,
    ],
    [
      'no client certificate',
      () => ({ ...etcd.connectOptions, tls: { caFile: etcd.tls?.caFile } }),
      /refuses the client certificate: give tls.certFile and tls.keyFile/,
    ],
    [
      'a foreign client certificate',
      () => ({ ...etcd.connectOptions, tls: { ...other.tls, caFile: etcd.tls?.caFile } }),
      /refuses the client certificate: give tls.certFile and tls.keyFile/,
    ],
    [
      'a name that is not in the certificate',
      () => ({ ...other.connectOptions, tls: { ...other.tls, serverName: 'other.example' } }),
      /altnames.*set tls.serverName/,
    ],
    [
      'plain text to a TLS server',
      () => ({ endpoints: etcd.endpoints.map((url) => url.replace('https', 'http')) }),
      /does it want https:\/\/\?/,
    ],
    [
      'TLS to a plain text server',
      () => ({ endpoints: plain.endpoints.map((url) => url.replace('http', 'https')) }),
      /does (it|the server) speak plain text, http:\/\/\?/,
    ],
  ];

  it.each(mistakes)(
    '%s is refused at once, with endpoint, cause and remedy',
    async (_, options, expected) => {
      const error = await refusal(options());
      expect(error).toBeInstanceOf(ConnectionError);
      const [endpoint = ''] = options().endpoints ?? [];
      expect(error).toMatchObject({
        message: expect.stringMatching(expected),
        outcome: 'not-applied',
        endpoints: [{ endpoint, reason: expect.stringMatching(expected) }],
      });
      expect(String(error)).toContain(endpoint);
      expect(String(error)).not.toMatch(/\n|SSL routines|No connection established/);
    },
  );

  it('an expired certificate of the server is refused as such', async () => {
    const server = await startEtcd({ tls: true });
    try {
      const ca = certify('another CA');
      const { cert, key } = certify('server', { issuer: ca, expired: true });
      const folder = dirname(server.tls?.caFile ?? '');
      await writeFile(join(folder, 'server-key.pem'), key); // etcd reads them at each handshake
      await writeFile(join(folder, 'server.pem'), cert);
      const error = await refusal({ endpoints: server.endpoints, tls: { ca: ca.cert } });
      expect(error).toBeInstanceOf(ConnectionError);
      expect(String(error)).toMatch(/certificate has expired; renew the certificate of the server/);
    } finally {
      await server.stop();
    }
  });

  it.each([
    ['an unreadable file', { caFile: '/nowhere/ca.pem' }, '/nowhere/ca.pem'],
    ['a CA that is none', { ca: 'garbage' }, 'tls.ca'],
    ['a certificate that is none', { cert: 'no certificate', key: 'no key' }, 'tls.cert: cannot be used'],
    [
      'a certificate without its key',
      { ca: certify('CA').cert, cert: certify('me').cert },
      'both cert and key',
    ],
    [
      'a key of another certificate',
      { cert: certify('me').cert, key: certify('you').key },
      'key values mismatch',
    ],
  ])('%s is named before anything is sent', async (_, tls, expected) => {
    const error = await refusal({ ...etcd.connectOptions, tls });
    expect(error).toBeInstanceOf(ValidationError);
    expect(String(error)).toContain(expected);
  });
});
