import type * as grpc from '@grpc/grpc-js';
import { callMetadata } from './call-metadata.js';
import { cancelCall } from './cancel-call.js';
import type { Endpoint } from './endpoint.js';
import { AbortedError, ClosedError, CoordError, type Outcome } from './errors.js';
import type { Connection } from './etcd-channel.js';
import { SERVICE_OF, type UnaryRpcs } from './rpc.js';
import { START_UNARY } from './start-unary.js';

export interface AttemptOptions {
  readonly token?: string | undefined;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** The outcome to report when it ends before it was sent, and after. */
  readonly unsent: Outcome;
  readonly lost: Outcome;
}

/** The outcomes of a call that changes nothing. */
export const HARMLESS = { unsent: 'not-applied', lost: 'not-applied' } as const;

/** The unary calls under way: each is one attempt on one endpoint, without retry or translated errors. */
export class UnaryCalls {
  readonly #pending = new Set<PendingCall>();
  #closed = false;

  /** Sends a request once. Rejects with grpc-js's error as it is. */
  async send<M extends keyof UnaryRpcs>(
    method: M,
    request: UnaryRpcs[M]['request'],
    endpoint: Endpoint,
    options: AttemptOptions,
  ): Promise<UnaryRpcs[M]['response']> {
    // At hand or not: an abort in the same tick comes before anything is sent.
    const connection = await endpoint.connection(SERVICE_OF[method], method);
    this.assertWanted(method, options.signal, options.unsent);
    return this.#start(method, request, connection, options);
  }

  #start<M extends keyof UnaryRpcs>(
    method: M,
    request: UnaryRpcs[M]['request'],
    connection: Connection,
    { token, timeoutMs, signal, lost }: AttemptOptions,
  ): Promise<UnaryRpcs[M]['response']> {
    // Reads that may be stale are also wanted from a member that has lost its leader.
    const requireLeader = !mayBeStale(request);
    const metadata = callMetadata(connection, token, requireLeader);
    return new Promise((resolve, reject) => {
      const pending = new PendingCall(method, signal, lost, reject, this.#pending);
      pending.call = START_UNARY[method](
        connection.client,
        request,
        metadata,
        { deadline: Date.now() + timeoutMs },
        (error, response) => {
          pending.settle();
          if (error) reject(error);
          else if (response !== undefined) resolve(response);
          else reject(new CoordError('COORD_INTERNAL', `${method}: empty answer`, { outcome: lost }));
        },
      );
    });
  }

  /** @throws {ClosedError} or {AbortedError} when nobody waits for the call any more */
  assertWanted(method: string, signal: AbortSignal | undefined, outcome: Outcome): void {
    if (this.#closed) throw closedError(method, outcome);
    if (signal?.aborted) throw abortedError(method, signal, outcome);
  }

  /** Rejects every call under way, and those to come. */
  close(): void {
    this.#closed = true;
    for (const pending of [...this.#pending]) pending.close();
  }
}

/** A call that can be ended early. There is one for each call, so it makes no closure and no controller. */
class PendingCall {
  call: grpc.ClientUnaryCall | undefined;
  readonly #method: string;
  readonly #signal: AbortSignal | undefined;
  readonly #lost: Outcome;
  readonly #reject: (error: CoordError) => void;
  readonly #others: Set<PendingCall>;

  constructor(
    method: string,
    signal: AbortSignal | undefined,
    lost: Outcome,
    reject: (error: CoordError) => void,
    others: Set<PendingCall>,
  ) {
    this.#method = method;
    this.#signal = signal;
    this.#lost = lost;
    this.#reject = reject;
    this.#others = others;
    others.add(this);
    signal?.addEventListener('abort', this, { once: true });
  }

  /** The caller aborts. */
  handleEvent(): void {
    this.#end(abortedError(this.#method, this.#signal, this.#lost));
  }

  close(): void {
    this.#end(closedError(this.#method, this.#lost));
  }

  settle(): void {
    this.#signal?.removeEventListener('abort', this);
    this.#others.delete(this);
  }

  #end(error: CoordError): void {
    this.settle();
    if (this.call !== undefined) cancelCall(this.call);
    this.#reject(error);
  }
}

function mayBeStale(request: UnaryRpcs[keyof UnaryRpcs]['request']): boolean {
  if ('serializable' in request) return request.serializable === true;
  // etcd asks the leader unless all operations of a transaction may be stale.
  return (
    'success' in request &&
    request.success.length > 0 &&
    [...request.success, ...request.failure].every((op) => op.request_range?.serializable)
  );
}

export function closedError(method: string, outcome: Outcome = 'not-applied'): ClosedError {
  return new ClosedError(`${method}: the client is closed`, { outcome });
}

function abortedError(method: string, signal: AbortSignal | undefined, outcome: Outcome): AbortedError {
  return new AbortedError(`${method}: aborted by the caller`, { cause: signal?.reason, outcome });
}
