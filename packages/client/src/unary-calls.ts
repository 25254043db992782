import { callMetadata } from './call-metadata.js';
import { cancelCall } from './cancel-call.js';
import type { Endpoint } from './endpoint.js';
import { AbortedError, ClosedError, CoordError, type Outcome } from './errors.js';
import { SERVICE_OF, START_UNARY, type UnaryRpcs } from './rpc.js';

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
  /** How to end each call. */
  readonly #pending = new Set<() => void>();
  #closed = false;

  /** Sends a request once. Rejects with grpc-js's error as it is. */
  async send<M extends keyof UnaryRpcs>(
    method: M,
    request: UnaryRpcs[M]['request'],
    endpoint: Endpoint,
    { token, timeoutMs, signal, unsent, lost }: AttemptOptions,
  ): Promise<UnaryRpcs[M]['response']> {
    const connection = await endpoint.connection(SERVICE_OF[method], method);
    this.assertWanted(method, signal, unsent);
    // Reads that may be stale are also wanted from a member that has lost its leader.
    const requireLeader = !('serializable' in request && request.serializable === true);
    const metadata = callMetadata(connection, token, requireLeader);

    return new Promise((resolve, reject) => {
      const cancel = (error: CoordError) => {
        settle();
        cancelCall(call);
        reject(error);
      };
      const onAbort = () => cancel(abortedError(method, signal, lost));
      const onClose = () => cancel(closedError(method, lost));
      const settle = () => {
        signal?.removeEventListener('abort', onAbort);
        this.#pending.delete(onClose);
      };
      const deadline = Date.now() + timeoutMs;
      const call = START_UNARY[method](
        connection.client,
        request,
        metadata,
        { deadline },
        (error, response) => {
          settle();
          if (error || response === undefined)
            reject(error ?? new CoordError('COORD_INTERNAL', `${method}: empty answer`, { outcome: lost }));
          else resolve(response);
        },
      );
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#pending.add(onClose);
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
    for (const end of [...this.#pending]) end();
  }
}

export function closedError(method: string, outcome: Outcome = 'not-applied'): ClosedError {
  return new ClosedError(`${method}: the client is closed`, { outcome });
}

function abortedError(method: string, signal: AbortSignal | undefined, outcome: Outcome): AbortedError {
  return new AbortedError(`${method}: aborted by the caller`, { cause: signal?.reason, outcome });
}
