import { connect, type Socket } from 'node:net';
import { type Direction, ProxyPipe } from './proxy-pipe.js';

/** One connection through the proxy: the client's socket, ours to the target, and a pipe each way. @internal */
export class ProxyLink {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #toClient: Direction;
  readonly #pipes: readonly ProxyPipe[];
  readonly #onClosed: () => void;
  #closed = false;
  /** The server side failed while nothing may reach the client. */
  #resetWhenHealed = false;

  constructor(
    client: Socket,
    target: { readonly host: string; readonly port: number },
    directions: { readonly toServer: Direction; readonly toClient: Direction },
    onClosed: () => void,
  ) {
    this.#client = client;
    this.#server = connect({ ...target, allowHalfOpen: true, noDelay: true });
    this.#toClient = directions.toClient;
    this.#onClosed = onClosed;
    for (const socket of [client, this.#server]) socket.unref();
    this.#pipes = [
      new ProxyPipe(client, this.#server, directions.toServer),
      new ProxyPipe(this.#server, client, directions.toClient),
    ];
    client.on('error', () => this.reset());
    client.once('close', () => this.#closeWhenDone());
    this.#server.on('error', () => this.#serverFailed());
    this.#server.once('close', () => this.#closeWhenDone());
  }

  /** To be called after a direction has changed. */
  update(): void {
    if (this.#resetWhenHealed && !this.#toClient.held) this.reset();
    else for (const pipe of this.#pipes) pipe.update();
  }

  /** Ends both sides at once. */
  destroy(): void {
    this.#finish((socket) => socket.destroy());
  }

  /** Ends both sides with a TCP reset. */
  reset(): void {
    this.#finish((socket) => (socket.connecting ? socket.destroy() : socket.resetAndDestroy()));
  }

  #serverFailed(): void {
    if (this.#toClient.held) this.#resetWhenHealed = true;
    else this.reset();
  }

  #closeWhenDone(): void {
    if (this.#client.destroyed && this.#server.destroyed) this.destroy();
  }

  #finish(end: (socket: Socket) => void): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const pipe of this.#pipes) pipe.close();
    for (const socket of [this.#client, this.#server]) if (!socket.destroyed) end(socket);
    this.#onClosed();
  }
}
