import { type EtcdServer, startEtcd } from '@coord/testkit';
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
});
