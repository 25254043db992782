import { ClosedError, type CoordClient, type PingResult, type WaitOptions } from '@coord/client';
import { assertValid, Cancellation, checkWaitOptions, internalsOf, Wait } from '@coord/client/internal';
import { type ConfigCenter, createConfigCenter } from '@coord/config';
import { type ConnectionOptions, getConnection, type ServiceConnection } from '@coord/grpc-resolver';
import { createLocks, type DistributedLock } from '@coord/lock';
import { createRegistry, type ServiceRegistry } from '@coord/registry';
import { connectivityState } from '@grpc/grpc-js';
import type { CoordConfigInput } from './config.js';
import type { Coordinator } from './coordinator.js';

/** The parts on one client, and the order in which they end. */
export class WiredCoordinator implements Coordinator {
  readonly lock: DistributedLock;
  readonly registry: ServiceRegistry;
  readonly config: ConfigCenter;
  readonly client: CoordClient;
  readonly #connections = new Set<ServiceConnection>();
  /** Ends what is still being waited for while closing. */
  readonly #hurry = new Cancellation();
  #closing: Promise<void> | undefined;

  constructor(client: CoordClient, config: CoordConfigInput) {
    this.client = client;
    this.registry = createRegistry(client, config.serviceRegistry);
    this.lock = createLocks(client, config.distributedLock);
    this.config = createConfigCenter(client, config.configCenter);
  }

  async getConnection(serviceName: string, options?: ConnectionOptions): Promise<ServiceConnection> {
    if (this.#closing) throw closedError();
    const connection = await getConnection(this.registry, serviceName, options);
    if (this.#closing) {
      await connection.close();
      throw closedError();
    }
    this.#forgetClosedConnections();
    this.#connections.add(connection);
    return connection;
  }

  ping(options?: WaitOptions): Promise<PingResult> {
    return this.client.ping(options);
  }

  async close(options: WaitOptions = {}): Promise<void> {
    assertValid(checkWaitOptions([], options));
    // Whoever comes later and names no time waits for what is under way.
    const usual = this.#closing ? undefined : internalsOf(this.client).options.requestTimeoutMs;
    using wait = new Wait({ ...options, timeoutMs: options.timeoutMs ?? usual }, 'close of the coordinator');
    const unbound = wait.cancellation.onAbort(() => this.#hurry.abort(wait.cancellation.reason));
    this.#closing ??= this.#close(wait);
    await this.#closing;
    unbound();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(wait: Wait): Promise<void> {
    const { logger } = internalsOf(this.client);
    const step = async (what: string, run: () => Promise<unknown>) => {
      try {
        await this.#hurry.race(run());
      } catch (error) {
        logger.warn(`closed before it was done: ${what}`, { error });
      }
    };
    const budget = (share: number) => ({ timeoutMs: Math.max(1, wait.remainingMs * share) });
    // First nobody is sent here any more, then what is held is given up. Neither may use up the other's time.
    await step('deregistering', () => this.registry.close(budget(0.5)));
    await step('closing connections', () =>
      Promise.all([...this.#connections].map((connection) => connection.close())),
    );
    await step('releasing locks', () => this.lock.close(budget(0.7)));
    await step('ending config watches', () => this.config.close());
    // Revokes the leases; once the signal has fired, it disconnects at once.
    await this.client.close({ ...budget(1), signal: this.#hurry.signal });
    this.#connections.clear();
  }

  /** Connections are their users' to close; here they must not pile up. */
  #forgetClosedConnections(): void {
    for (const connection of this.#connections) {
      const state = connection.channel.getConnectivityState(false);
      if (state === connectivityState.SHUTDOWN) this.#connections.delete(connection);
    }
  }
}

function closedError(): ClosedError {
  return new ClosedError('the coordinator is closed: make a new one with createCoordinator()');
}
