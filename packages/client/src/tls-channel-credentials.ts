import { isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect, type SecureContext, type TLSSocket } from 'node:tls';
import * as grpc from '@grpc/grpc-js';

/**
 * The credentials of a TLS channel.
 *
 * grpc-js's own send the server's address along as its name where the endpoint is an IP address. RFC 6066
 * forbids that; Node.js warns of it (DEP0123), and from version 25 on refuses to connect.
 * https://nodejs.org/api/deprecations.html#dep0123-setting-the-tls-servername-to-an-ip-address
 */
export class TlsChannelCredentials extends grpc.ChannelCredentials {
  readonly #context: SecureContext;
  readonly #serverName: string;

  /** @param serverName the name or IP address that the certificate of the server must be for */
  constructor(context: SecureContext, serverName: string) {
    super();
    this.#context = context;
    this.#serverName = serverName;
  }

  _isSecure(): boolean {
    return true;
  }

  _equals(other: grpc.ChannelCredentials): boolean {
    return (
      other instanceof TlsChannelCredentials &&
      other.#context === this.#context &&
      other.#serverName === this.#serverName
    );
  }

  _createSecureConnector(
    ...[, , callCredentials = grpc.credentials.createEmpty()]: Parameters<
      grpc.ChannelCredentials['_createSecureConnector']
    >
  ): grpc.experimental.SecureConnector {
    return {
      connect: async (socket) => ({ socket: await this.#secure(socket), secure: true }),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials,
      destroy: () => undefined,
    };
  }

  #secure(socket: Socket): Promise<TLSSocket> {
    const name = this.#serverName;
    return new Promise((resolve, reject) => {
      const secured = connect({
        socket,
        secureContext: this.#context,
        ALPNProtocols: ['h2'],
        rejectUnauthorized: true, // whatever the environment says
        ...(isIP(name) === 0 ? { servername: name } : {}),
        checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
      });
      secured.once('secureConnect', () => resolve(secured));
      secured.on('error', reject);
    });
  }
}

/** The name or IP address of an endpoint, which is `host:port` or a URL of that. */
export function hostOf(endpoint: string): string {
  return endpoint
    .replace(/^https?:\/\//, '')
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1');
}
