import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Proxy as LineProxy, startProxy } from '@coord/testkit';
import type { ServerOrder, ServerReport } from './failover-messages.js';

const START_MS = 60_000;

/** One server: its process, and the line by which clients reach it. */
export interface FleetServer {
  readonly id: string;
  /** Where clients connect to: `127.0.0.1:<port>`. */
  readonly address: string;
  readonly child: ChildProcess;
  /** Only where its line is to fail. */
  readonly line: LineProxy | undefined;
  order(order: ServerOrder): void;
  end(): Promise<void>;
}

export interface FleetOptions {
  readonly service: string;
  readonly size: number;
  readonly ttlMs: number;
  readonly endpoints: readonly string[];
}

/** The servers of one service, all registered. */
export class Fleet implements AsyncDisposable {
  readonly #options: FleetOptions;
  #servers: readonly FleetServer[] = [];
  #started = 0;

  private constructor(options: FleetOptions) {
    this.#options = options;
  }

  static async start(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options);
    await fleet.complete();
    return fleet;
  }

  get servers(): readonly FleetServer[] {
    return this.#servers;
  }

  /** Ends a server for good, and starts others until there are as many as there should be. */
  async replace(server: FleetServer, proxied = false): Promise<FleetServer> {
    this.#servers = this.#servers.filter((each) => each !== server);
    await server.end();
    await this.complete(proxied);
    return this.last();
  }

  async complete(proxied = false): Promise<void> {
    const missing = this.#options.size - this.#servers.length;
    const added = await Promise.all(Array.from({ length: missing }, () => this.#start(proxied)));
    this.#servers = [...this.#servers, ...added];
  }

  last(): FleetServer {
    const server = this.#servers.at(-1);
    if (server === undefined) throw new Error('there is no server');
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.end()));
  }

  async #start(proxied: boolean): Promise<FleetServer> {
    const id = `s${++this.#started}`;
    const { service, endpoints, ttlMs } = this.#options;
    const program = fileURLToPath(new URL('./failover-server.ts', import.meta.url));
    const child = fork(program, [service, id, endpoints.join(','), String(ttlMs)]);
    const order = (message: ServerOrder) => void child.send(message);
    const listening = await reportOf(child);
    const bound = listening.type === 'listening' ? listening.port : 0;
    const line = proxied ? await startProxy({ target: `127.0.0.1:${bound}` }) : undefined;
    const address = line?.address ?? `127.0.0.1:${bound}`;
    order({ type: 'register', port: Number(address.split(':')[1]) });
    await reportOf(child);
    const end = async () => {
      await line?.close();
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL'); // also ends a process that is stopped
      await once(child, 'exit');
    };
    return { id, address, child, line, order, end };
  }
}

async function reportOf(child: ChildProcess): Promise<ServerReport> {
  const [report]: ServerReport[] = await once(child, 'message', { signal: AbortSignal.timeout(START_MS) });
  if (report === undefined) throw new Error('a server said nothing');
  return report;
}
