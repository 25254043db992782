import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceConnection } from '@coord/grpc-resolver';
import { Client, status } from '@grpc/grpc-js';
import { WHO } from './failover-messages.js';

const TICK_MS = 4;

export interface OpenLoopOptions {
  readonly perSecond: number;
  readonly deadlineMs: number;
}

/** One call, in milliseconds of `performance.now()`. */
export interface Call {
  /** When it was due: a caller that is late does not make the system look better. */
  readonly due: number;
  readonly begun: number;
  readonly ended: number;
  /** The server's address, if it came to one. */
  readonly peer: string;
  /** The gRPC code of its failure. */
  readonly failure: string | undefined;
}

/** Calls at a fixed rate, whether or not earlier ones have ended, until it is stopped. */
export class OpenLoop {
  readonly calls: Call[] = [];
  readonly #client: Client;
  readonly #options: OpenLoopOptions;
  readonly #running: Promise<void>;
  readonly #pending = new Set<Promise<void>>();
  #stopped = false;

  constructor(connection: ServiceConnection, options: OpenLoopOptions) {
    this.#client = connection.client(Client);
    this.#options = options;
    this.#running = this.#run();
  }

  /** Resolves when the last call has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    await Promise.all(this.#pending);
  }

  async #run(): Promise<void> {
    const everyMs = 1_000 / this.#options.perSecond;
    for (let due = performance.now(); !this.#stopped; await sleep(TICK_MS)) {
      for (; due <= performance.now(); due += everyMs) {
        const call = this.#call(due).finally(() => this.#pending.delete(call));
        this.#pending.add(call);
      }
    }
  }

  #call(due: number): Promise<void> {
    const { path, requestSerialize, responseDeserialize } = WHO;
    const options = { deadline: Date.now() + this.#options.deadlineMs };
    const begun = performance.now();
    return new Promise((resolve) => {
      const call = this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        Buffer.alloc(0),
        options,
        (error) => {
          const failure = error === null ? undefined : status[error.code];
          this.calls.push({ due, begun, ended: performance.now(), peer: call.getPeer(), failure });
          resolve();
        },
      );
    });
  }
}
