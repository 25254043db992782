import type { Socket } from 'node:net';

/** Where a SOCKS client wants to go. @internal */
export interface SocksTarget {
  readonly host: string;
  readonly port: number;
}

const VERSION = 5;
const NO_LOGIN = 0;
const CONNECT = 1;
const ADDRESS_KIND = { ipv4: 1, name: 3 };
/** RFC 1928, section 6. @internal */
export const SOCKS_REPLY = { succeeded: 0, refused: 5 } as const;

/**
 * Reads the greeting and the request of a SOCKS 5 client (RFC 1928); undefined if it is none, or asks for more than a plain
 * connection. What the client sends after that stays in the socket, which is paused.
 *
 * @internal
 */
export async function readSocksRequest(socket: Socket): Promise<SocksTarget | undefined> {
  const reader = new ByteReader(socket);
  const [version, methodCount = 0] = await reader.take(2);
  if (version !== VERSION) return undefined;
  await reader.take(methodCount);
  socket.write(Buffer.of(VERSION, NO_LOGIN));
  const [, command, , kind] = await reader.take(4);
  if (command !== CONNECT) return undefined;
  const host = await readHost(reader, kind);
  if (host === undefined) return undefined;
  const port = (await reader.take(2)).readUInt16BE();
  reader.release();
  return { host, port };
}

/** Ends the negotiation; after `succeeded` the connection is the client's. @internal */
export function answerSocksRequest(socket: Socket, reply: number): void {
  socket.write(Buffer.of(VERSION, reply, 0, ADDRESS_KIND.ipv4, 0, 0, 0, 0, 0, 0));
}

async function readHost(reader: ByteReader, kind: number | undefined): Promise<string | undefined> {
  if (kind === ADDRESS_KIND.ipv4) return (await reader.take(4)).join('.');
  if (kind !== ADDRESS_KIND.name) return undefined;
  const [length = 0] = await reader.take(1);
  return (await reader.take(length)).toString('latin1');
}

/** Takes bytes from a socket by their number. */
class ByteReader {
  readonly #socket: Socket;
  #buffered = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', this.#onData);
    for (const event of ['end', 'close']) socket.once(event, this.#onEnd);
  }

  /** Rejects if the connection ends before. */
  async take(bytes: number): Promise<Buffer> {
    while (this.#buffered.length < bytes) {
      if (this.#ended) throw new Error('the connection has ended');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const taken = this.#buffered.subarray(0, bytes);
    this.#buffered = this.#buffered.subarray(bytes);
    return taken;
  }

  /** Leaves the socket to others, with what was read too much. */
  release(): void {
    this.#socket.pause();
    this.#socket.off('data', this.#onData);
    for (const event of ['end', 'close']) this.#socket.off(event, this.#onEnd);
    if (this.#buffered.length > 0) this.#socket.unshift(this.#buffered);
  }

  readonly #onData = (chunk: Buffer) => {
    this.#buffered = Buffer.concat([this.#buffered, chunk]);
    this.#wake();
  };

  readonly #onEnd = () => {
    this.#ended = true;
    this.#wake();
  };
}
