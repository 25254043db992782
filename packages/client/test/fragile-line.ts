import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * A line to etcd that breaks in the middle: each connection carries so many bytes to the client and
 * then ends with a reset, at whichever byte of whichever message that is.
 */
export class FragileLine implements AsyncDisposable {
  /** Connections that were broken so far. */
  cuts = 0;
  /** How many bytes the next connection carries. */
  budget: () => number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, budget: () => number) {
    this.#server = server;
    this.budget = budget;
  }

  static async start(target: string, budget: () => number): Promise<FragileLine> {
    const [host = '', port = ''] = target.split(':');
    const server = createServer((client) => line.#join(client, connect(Number(port), host)));
    const line = new FragileLine(server, budget);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return line;
  }

  get endpoint(): string {
    const address = this.#server.address();
    return typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket, server: Socket): void {
    let left = this.budget();
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.pipe(server);
    server.on('data', (chunk: Buffer) => {
      if (chunk.length < left) {
        left -= chunk.length;
        if (!client.write(chunk)) server.pause();
        return;
      }
      this.cuts++;
      client.write(chunk.subarray(0, left), () => client.resetAndDestroy());
      server.destroy();
    });
    client.on('drain', () => server.resume());
  }
}
