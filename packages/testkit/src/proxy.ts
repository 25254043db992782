import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { TestkitError } from './errors.js';
import { freePorts } from './free-port.js';
import { ProxyLink } from './proxy-link.js';
import type { Direction } from './proxy-pipe.js';

/** The direction of bytes through the proxy. */
export type ProxyDirection = 'both' | 'toServer' | 'toClient';

/** What a proxy stands before. */
export interface StartProxyOptions {
  /** Where connections go: `host:port`, or an endpoint such as `http://127.0.0.1:2379`. */
  readonly target: string;
}

/** A TCP proxy whose line can be cut, frozen and slowed down. */
export interface Proxy extends AsyncDisposable {
  /** The proxy's own address in the shape of the target: `127.0.0.1:<port>`, or with the scheme of an endpoint. It never changes. */
  readonly endpoint: string;
  /** `127.0.0.1:<port>`. */
  readonly address: string;
  /** Connections that are open now. */
  readonly connections: number;
  /** Connections accepted so far. */
  readonly accepted: number;
  /** Closes every connection now. New ones are accepted. */
  cut(): void;
  /** Closes every connection now with a TCP reset (RST). New ones are accepted. */
  resetConnections(): void;
  /** Stops listening: new connections are refused. Open ones stay. */
  refuse(): Promise<void>;
  /** Listens again, on the same port. */
  accept(): Promise<void>;
  /** Lets no byte and no end of connection through. Connections stay open; new ones are accepted and stay silent. @default 'both' */
  blackhole(direction?: ProxyDirection): void;
  /** The same for the connections that are open now. New ones work, as after a router has forgotten the old ones. @default 'both' */
  blackholeOpen(direction?: ProxyDirection): void;
  /** Ends a black hole, and delivers what was held back. @default 'both' */
  heal(direction?: ProxyDirection): void;
  /** Delays each byte by `ms` milliseconds from now on; 0 ends it. @default 'both' */
  delay(ms: number, direction?: ProxyDirection): void;
  /** Stops listening and closes every connection. */
  close(): Promise<void>;
}

/**
 * Starts a TCP proxy on 127.0.0.1, to test what a client does when its line to the server fails. It does not keep this process
 * alive. A call that blocks the event loop of this process blocks the proxy too.
 *
 * @throws {TestkitError} `COORD_TESTKIT_INVALID_ARGUMENT` if `target` has no host and port.
 * @example
 * ```ts
 * import { startEtcd, startProxy } from '@coord/testkit';
 *
 * await using server = await startEtcd();
 * await using proxy = await startProxy({ target: server.endpoint });
 * await fetch(`${proxy.endpoint}/version`);
 * proxy.blackhole();
 * setTimeout(() => proxy.heal(), 100);
 * await fetch(`${proxy.endpoint}/version`); // answers once the line is healed
 * ```
 */
export async function startProxy(options: StartProxyOptions): Promise<Proxy> {
  const target = parseTarget(options.target);
  for (let tries = 1; ; tries++) {
    const [port = 0] = await freePorts(1);
    const proxy = new TcpProxy(target, port);
    try {
      await proxy.accept();
      return proxy;
    } catch (error) {
      if (tries === 8) throw error; // taken by others each time
    }
  }
}

interface Target {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
}

interface Directions {
  readonly toServer: Direction;
  readonly toClient: Direction;
}

class TcpProxy implements Proxy {
  readonly address: string;
  readonly endpoint: string;
  accepted = 0;
  readonly #target: Target;
  readonly #port: number;
  readonly #links = new Set<ProxyLink>();
  /** What new connections obey. */
  #directions: Directions = {
    toServer: { held: false, delayMs: 0 },
    toClient: { held: false, delayMs: 0 },
  };
  /** What older connections obey, since they have been cut off from new ones. */
  readonly #abandoned: Directions[] = [];
  #listener: Server | undefined;
  #closed = false;

  constructor(target: Target, port: number) {
    this.#target = target;
    this.#port = port;
    this.address = `127.0.0.1:${port}`;
    this.endpoint = `${target.scheme}${this.address}`;
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

  async refuse(): Promise<void> {
    this.#listener?.close(); // its callback would wait for the open connections
    this.#listener = undefined;
    await nextTurn();
  }

  async accept(): Promise<void> {
    if (this.#closed) {
      throw new TestkitError(
        'COORD_TESTKIT_INVALID_STATE',
        `proxy ${this.address} is closed`,
        'start another one',
      );
    }
    if (this.#listener) return;
    const listener = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) =>
      this.#connected(socket),
    );
    this.#listener = listener;
    try {
      await new Promise<void>((resolve, reject) => {
        listener.once('error', reject);
        listener.listen({ port: this.#port, host: '127.0.0.1', exclusive: true }, resolve);
      });
      listener.unref();
    } catch (error) {
      this.#listener = undefined;
      throw new TestkitError(
        'COORD_TESTKIT_START_FAILED',
        `proxy ${this.address} cannot listen: ${error instanceof Error ? error.message : error}`,
        'stop what listens there',
        { cause: error },
      );
    }
  }

  blackhole(direction: ProxyDirection = 'both'): void {
    this.#change(direction, (part) => {
      part.held = true;
    });
  }

  blackholeOpen(direction: ProxyDirection = 'both'): void {
    const { toServer, toClient } = this.#directions;
    this.#abandoned.push(this.#directions);
    this.#directions = { toServer: { ...toServer }, toClient: { ...toClient } };
    if (direction !== 'toClient') toServer.held = true;
    if (direction !== 'toServer') toClient.held = true;
    for (const link of this.#links) link.update();
  }

  heal(direction: ProxyDirection = 'both'): void {
    this.#change(direction, (part) => {
      part.held = false;
    });
  }

  delay(ms: number, direction: ProxyDirection = 'both'): void {
    if (!(ms >= 0 && ms < 2 ** 31)) {
      throw new TestkitError('COORD_TESTKIT_INVALID_ARGUMENT', `delay ${ms}`, 'give milliseconds, 0 or more');
    }
    this.#change(direction, (part) => {
      part.delayMs = ms;
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.refuse();
    this.cut();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #connected(socket: Socket): void {
    this.accepted += 1;
    const link = new ProxyLink(socket, this.#target, this.#directions, () => this.#links.delete(link));
    this.#links.add(link);
  }

  #change(direction: ProxyDirection, apply: (part: Direction) => void): void {
    for (const { toServer, toClient } of [this.#directions, ...this.#abandoned]) {
      if (direction !== 'toClient') apply(toServer);
      if (direction !== 'toServer') apply(toClient);
    }
    for (const link of this.#links) link.update();
  }
}

function parseTarget(target: string): Target {
  const match = /^([a-z][a-z+.-]*:\/\/)?(?:\[([0-9a-f:]+)\]|([^/:[\]]+)):(\d{1,5})\/?$/i.exec(target);
  const host = match?.[2] ?? match?.[3];
  const port = Number(match?.[4]);
  if (host && port > 0 && port < 65_536) return { scheme: match?.[1] ?? '', host, port };
  throw new TestkitError(
    'COORD_TESTKIT_INVALID_ARGUMENT',
    `proxy target ${JSON.stringify(target)} has no host and port`,
    "give 'host:port' or an endpoint of a server",
  );
}
