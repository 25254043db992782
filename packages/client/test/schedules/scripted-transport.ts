import { EventEmitter } from 'node:events';
import { EndpointPool } from '../../src/endpoint-pool.js';
import { ConnectionError } from '../../src/errors.js';
import { type Moment, now } from '../../src/lease-keeper.js';
import { createCoordLogger } from '../../src/logger.js';
import { resolveClientOptions } from '../../src/options.js';
import type { RpcStream, StreamRpcs, UnaryRpcs } from '../../src/rpc.js';
import type { RpcFailure } from '../../src/rpc-errors.js';
import { type OpenStream, Transport } from '../../src/transport.js';

export const quiet = createCoordLogger(undefined, 'silent');
const options = resolveClientOptions({});

/** The client's end of a stream: what is written waits here, and what comes is up to the schedule. */
export class ScriptedStream extends EventEmitter implements RpcStream<keyof StreamRpcs> {
  readonly written: { readonly request: unknown; readonly at: Moment }[] = [];
  /** The client does not want it any more. */
  canceled = false;

  write(request: unknown): void {
    if (!this.canceled) this.written.push({ request, at: now() });
  }

  cancel(): void {
    this.canceled = true;
  }
}

/** An endpoint that is neither asked nor left. */
class OnePool extends EndpointPool {
  override succeeded(): void {}
  override failed(): void {}
  override unresponsive(): void {}
}

interface Opening {
  open(): ScriptedStream;
  fail(): void;
}

/** A call that waits for what the schedule has to say. */
export interface Asked {
  readonly method: keyof UnaryRpcs;
  readonly request: object;
  readonly at: number;
  answer(response: object): void;
  fail(error: Error): void;
}

/** A transport whose streams open, and whose calls end, when the schedule says so. */
export class ScriptedTransport extends Transport {
  override readonly pool = new OnePool(options, quiet);
  /** Streams that are to be opened. */
  readonly openings: Opening[] = [];
  readonly streams: ScriptedStream[] = [];
  asked: Asked[] = [];
  /** Every call that has been made. */
  readonly made: Asked[] = [];

  constructor() {
    super(options, quiet);
  }

  override openStream<M extends keyof StreamRpcs>(_method: M): Promise<OpenStream<M>> {
    return new Promise((resolve, reject) => {
      const done = () => this.openings.splice(this.openings.indexOf(opening), 1);
      const opening = {
        open: () => {
          done();
          const stream = new ScriptedStream();
          this.streams.push(stream);
          resolve({ stream, endpoint: this.pool.current, token: undefined });
          return stream;
        },
        fail: () => {
          done();
          reject(new ConnectionError('it cannot be opened'));
        },
      };
      this.openings.push(opening);
    });
  }

  override streamFailed(): RpcFailure {
    const error = new ConnectionError('the stream broke');
    return { error, remedy: 'retry', endpointFault: true, silent: false };
  }

  override unary<M extends keyof UnaryRpcs>(
    method: M,
    request: () => UnaryRpcs[M]['request'],
  ): Promise<UnaryRpcs[M]['response']> {
    return new Promise((resolve, reject) => {
      const done = () => {
        this.asked = this.asked.filter((each) => each !== asked);
      };
      const asked: Asked = {
        method,
        request: request(),
        at: performance.now(),
        answer: (response) => {
          done();
          resolve(response as UnaryRpcs[M]['response']);
        },
        fail: (error) => {
          done();
          reject(error);
        },
      };
      this.asked.push(asked);
      this.made.push(asked);
    });
  }
}
