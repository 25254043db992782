import type { Socket } from 'node:net';
import * as grpc from '@grpc/grpc-js';

/** How long the peer may take to close its side after we have closed ours. */
const LINGER_MS = 1_000;

/**
 * The TCP connections to one endpoint.
 *
 * grpc-js gives no hold on them, and waits without limit for what a dead line never brings: the TLS
 * handshake and the first HTTP/2 frame of a connection that it makes, the peer's end of one that it
 * closes. Each of these would keep a socket, and during a TLS handshake the process.
 */
export class EndpointSockets {
  readonly #open = new Set<Socket>();
  readonly #handshakeTimeoutMs: number;
  #closed = false;
  #made = 0;

  constructor(handshakeTimeoutMs: number) {
    this.#handshakeTimeoutMs = handshakeTimeoutMs;
  }

  /** How many connections have been made so far. */
  get made(): number {
    return this.#made;
  }

  /** Credentials of a channel that secures each new connection with the present ones, on a socket that is ours to destroy. */
  track(credentials: () => grpc.ChannelCredentials): grpc.ChannelCredentials {
    return new TrackedCredentials(credentials, this);
  }

  /** Secures a new connection, and gives it up when the peer stays silent. */
  async secure(
    socket: Socket,
    connector: grpc.experimental.SecureConnector,
  ): Promise<grpc.experimental.SecureConnectResult> {
    this.#made++;
    this.#own(socket);
    if (this.#closed) socket.destroy();
    const silent = setTimeout(() => {
      if (socket.bytesRead === 0) {
        socket.destroy(new Error(`the server said nothing within ${this.#handshakeTimeoutMs} ms`));
      }
    }, this.#handshakeTimeoutMs);
    silent.unref();
    socket.once('close', () => clearTimeout(silent));
    const destroyed = new Promise<never>((_, reject) => {
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('the connection was closed during its handshake')));
    });
    const secured = await Promise.race([connector.connect(socket), destroyed]);
    if (secured.socket !== socket) this.#own(secured.socket);
    return secured;
  }

  /** Drops every connection at once, and those that are still being made. */
  close(): void {
    this.#closed = true;
    for (const socket of this.#open) socket.destroy();
  }

  #own(socket: Socket): void {
    this.#open.add(socket);
    let linger: NodeJS.Timeout | undefined;
    socket.once('finish', () => {
      linger = setTimeout(() => socket.destroy(), LINGER_MS);
      linger.unref();
    });
    socket.once('close', () => {
      clearTimeout(linger);
      this.#open.delete(socket);
    });
  }
}

class TrackedCredentials extends grpc.ChannelCredentials {
  readonly #credentials: () => grpc.ChannelCredentials;
  readonly #sockets: EndpointSockets;

  constructor(credentials: () => grpc.ChannelCredentials, sockets: EndpointSockets) {
    super();
    this.#credentials = credentials;
    this.#sockets = sockets;
  }

  _isSecure(): boolean {
    return this.#credentials()._isSecure();
  }

  _equals(other: grpc.ChannelCredentials): boolean {
    return this === other;
  }

  _createSecureConnector(
    ...args: Parameters<grpc.ChannelCredentials['_createSecureConnector']>
  ): grpc.experimental.SecureConnector {
    const callCredentials = args[2] ?? grpc.credentials.createEmpty();
    return {
      connect: async (socket) => {
        const connector = this.#credentials()._createSecureConnector(...args);
        await connector.waitForReady();
        return await this.#sockets.secure(socket, connector);
      },
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials,
      destroy: () => undefined,
    };
  }
}
