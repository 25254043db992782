import { once } from 'node:events';
import { connect } from 'node:net';
import { createSecureContext, createServer, type Server, TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certify } from '../test/certificates.js';
import { hostOf, TlsChannelCredentials } from './tls-channel-credentials.js';

const ca = certify('CA');
const context = createSecureContext({ ca: ca.cert });
let server: Server;
let port: number;

beforeAll(async () => {
  server = createServer({ ...certify('etcd.example', { issuer: ca }), ALPNProtocols: ['h2'] });
  server.on('tlsClientError', () => undefined); // who does not like the certificate hangs up
  server.listen({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('it listens');
  port = address.port;
});
afterAll(() => {
  server.close();
});

async function secured(credentials: TlsChannelCredentials): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  const target = { path: `127.0.0.1:${port}` };
  const connector = credentials._createSecureConnector(target, {});
  await connector.waitForReady();
  try {
    const result = await connector.connect(socket);
    if (!(result.socket instanceof TLSSocket)) throw new Error('is not secured');
    expect([result.secure, result.socket.authorized, result.socket.alpnProtocol]).toEqual([true, true, 'h2']);
    return result.socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

describe('TlsChannelCredentials', () => {
  it.each([
    ['127.0.0.1', false],
    ['etcd.example', 'etcd.example'],
  ])('for %s the server is asked for %s', async (name, asked) => {
    const seen = once(server, 'secureConnection');
    const socket = await secured(new TlsChannelCredentials(context, name));
    const [accepted] = await seen;
    expect(accepted instanceof TLSSocket && accepted.servername).toBe(asked);
    socket.destroy();
  });

  it.each(['127.0.0.2', 'other.example'])('refuse a server that is not %s', async (name) => {
    const credentials = new TlsChannelCredentials(context, name);
    await expect(secured(credentials)).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });

  it('refuse a server of an unknown CA, also where the environment would let it pass', async () => {
    const { NODE_TLS_REJECT_UNAUTHORIZED: before } = process.env;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      const credentials = new TlsChannelCredentials(createSecureContext({}), '127.0.0.1');
      await expect(secured(credentials)).rejects.toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    }
  });

  it('are equal only with the same certificates and name', () => {
    const credentials = new TlsChannelCredentials(context, 'a');
    expect(credentials._equals(new TlsChannelCredentials(context, 'a'))).toBe(true);
    expect(credentials._equals(new TlsChannelCredentials(context, 'b'))).toBe(false);
    expect(credentials._equals(new TlsChannelCredentials(createSecureContext({}), 'a'))).toBe(false);
  });
});

it.each([
  ['https://etcd-1.example:2379', 'etcd-1.example'],
  ['10.0.0.1:2379', '10.0.0.1'],
  ['https://[fe80::1]:2379', 'fe80::1'],
])('the host of %s is %s', (endpoint, host) => {
  expect(hostOf(endpoint)).toBe(host);
});
