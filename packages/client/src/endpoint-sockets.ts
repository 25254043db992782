import type { Socket } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { findOpeningSocket } from './opening-socket.js';

/** How long the peer may take to close its side after we have closed ours. */
const LINGER_MS = 1_000;

/**
 * The TCP connections to one endpoint.
 *
 * grpc-js gives no hold on them, and waits without limit for what a dead line never brings: the answer to
 * the first packet, the TLS handshake and the first HTTP/2 frame of a connection that it makes, the peer's
 * end of one that it closes. Each of these would keep a socket, and the first two the process.
 */
export class EndpointSockets {
  /** Not connected yet. */
  readonly #opening = new Set<Socket>();
  readonly #open = new Set<Socket>();
  readonly #port: number;
  readonly #handshakeTimeoutMs: number;
  #closed = false;
  #made = 0;

  /** @param handshakeTimeoutMs how long a server may say nothing on a new connection */
  constructor(url: string, handshakeTimeoutMs: number) {
    this.#port = Number(/:(\d+)$/.exec(url)?.[1]);
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

  /** A connection is about to be opened. */
  opening(): void {
    findOpeningSocket(this.#port, (socket) => {
      this.#opening.add(socket);
      const giveUp = () => socket.destroy(new Error(`no connection within ${this.#handshakeTimeoutMs} ms`));
      const late = setTimeout(giveUp, this.#handshakeTimeoutMs);
      late.unref();
      const over = () => {
        clearTimeout(late);
        this.#opening.delete(socket);
      };
      socket.once('connect', over).once('close', over);
      // Node.js is in the middle of connecting it.
      if (this.#closed) setImmediate(() => this.#destroyOpening());
    });
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
    this.#destroyOpening();
    for (const socket of this.#open) socket.destroy();
  }

  #destroyOpening(): void {
    for (const socket of this.#opening) socket.destroy();
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
      waitForReady: async () => this.#sockets.opening(), // called right before the socket is made
      getCallCredentials: () => callCredentials,
      destroy: () => undefined,
    };
  }
}
