import type { Socket } from 'node:net';
import type { ClusterMember } from './cluster.js';
import { invalid } from './options.js';
import { ProxyLink } from './proxy-link.js';
import type { Direction } from './proxy-pipe.js';
import { answerSocksRequest, SOCKS_REPLY } from './socks.js';

/** Which way a fault goes. */
export interface PeerLineDirection {
  /** Only what this member sends. @default both ways */
  readonly from?: ClusterMember | undefined;
}

/** The line between two members, with all connections that either of them opens to the other. */
export interface PeerLine {
  /** Connections that are open now. */
  readonly connections: number;
  /** Closes every connection now. New ones are accepted. */
  cut(): void;
  /** Closes every connection now with a TCP reset (RST). New ones are accepted. */
  resetConnections(): void;
  /** Refuses new connections. Open ones stay. */
  refuse(): void;
  /** Accepts connections again. */
  accept(): void;
  /** Lets no byte and no end of connection through. Connections stay open; new ones are accepted and stay silent. */
  blackhole(direction?: PeerLineDirection): void;
  /** Ends a black hole, and delivers what was held back. */
  heal(direction?: PeerLineDirection): void;
  /** Delays each byte by `ms` milliseconds from now on; 0 ends it. */
  delay(ms: number, direction?: PeerLineDirection): void;
}

/** @internal */
export class PeerLineHandle implements PeerLine {
  /** By the name of the member that sends. */
  readonly #directions: ReadonlyMap<string, Direction>;
  readonly #links = new Set<ProxyLink>();
  #refusing = false;

  constructor(names: readonly [string, string]) {
    this.#directions = new Map(names.map((name) => [name, { held: false, delayMs: 0 }]));
  }

  get connections(): number {
    return this.#links.size;
  }

  cut(): void {
    for (const link of this.#links) link.destroy();
  }

  resetConnections(): void {
    for (const link of this.#links) link.reset();
  }

  refuse(): void {
    this.#refusing = true;
  }

  accept(): void {
    this.#refusing = false;
  }

  blackhole(direction?: PeerLineDirection): void {
    this.#change(direction, (part) => {
      part.held = true;
    });
  }

  heal(direction?: PeerLineDirection): void {
    this.#change(direction, (part) => {
      part.held = false;
    });
  }

  delay(ms: number, direction?: PeerLineDirection): void {
    if (!(ms >= 0 && ms < 2 ** 31)) throw invalid(`delay ${ms}`, 'give milliseconds, 0 or more');
    this.#change(direction, (part) => {
      part.delayMs = ms;
    });
  }

  /** Takes over a connection that one of the two has opened to the other, who listens on `port`. */
  connected(socket: Socket, from: string, port: number): void {
    const toServer = this.#directions.get(from);
    const toClient = [...this.#directions].find(([name]) => name !== from)?.[1];
    if (this.#refusing || !toServer || !toClient) {
      answerSocksRequest(socket, SOCKS_REPLY.refused);
      socket.destroySoon();
      return;
    }
    answerSocksRequest(socket, SOCKS_REPLY.succeeded);
    const target = { host: '127.0.0.1', port };
    const link = new ProxyLink(socket, target, { toServer, toClient }, () => this.#links.delete(link));
    this.#links.add(link);
  }

  #change({ from }: PeerLineDirection = {}, apply: (part: Direction) => void): void {
    if (from && !this.#directions.has(from.name)) {
      throw invalid(
        `from ${from.name} on the line of ${[...this.#directions.keys()].join(' and ')}`,
        'name one of the two',
      );
    }
    for (const [name, part] of this.#directions) if (!from || name === from.name) apply(part);
    for (const link of this.#links) link.update();
  }
}
