import { monotonicNow } from '../clock.js';
import { AbortedError, ClosedError } from '../errors.js';
import type { CallOptions } from '../kv.js';
import { manyMayListen } from '../many-may-listen.js';
import { CallOrder } from './call-order.js';
import { DeadlineSweep } from './deadline-sweep.js';
import { Dispatcher } from './dispatcher.js';
import type { BatchRules, KvCall, SendUnary } from './kv-call.js';
import { PendingCall } from './pending-call.js';

export interface CoalescerOptions {
  readonly send: SendUnary;
  /** The deadline of calls that name none. */
  readonly requestTimeoutMs: number;
  /** What the server in use can be trusted with. */
  readonly rules: () => BatchRules;
  /** Told of each request how many calls are in it. */
  readonly onSent?: ((calls: number) => void) | undefined;
}

/**
 * Makes few requests of many calls that run at the same time, so that each is answered as if it had been
 * made by itself, and those on the same key in the order in which they were made.
 */
export class Coalescer {
  readonly #requestTimeoutMs: number;
  /** What may be in a batch at present. */
  readonly rules: () => BatchRules;
  readonly #dispatcher: Dispatcher;
  readonly #order = new CallOrder<PendingCall<unknown>>();
  readonly #deadlines = new DeadlineSweep((now) => this.#sweep(now));
  readonly #onEnd = (ended: PendingCall<unknown>) => this.#end(ended);
  #sequence = 0;
  #closed = false;

  constructor({ send, requestTimeoutMs, rules, onSent }: CoalescerOptions) {
    this.#requestTimeoutMs = requestTimeoutMs;
    this.rules = rules;
    this.#dispatcher = new Dispatcher(send, rules, onSent);
  }

  /** Makes a call. The options have been checked. */
  call<Response>(call: KvCall<Response>, options: CallOptions): Promise<Response> {
    const { signal, timeoutMs = this.#requestTimeoutMs } = options;
    if (this.#closed) return Promise.reject(new ClosedError(`${call.method}: the client is closed`));
    if (signal?.aborted) {
      const message = `${call.method}: aborted by the caller`;
      return Promise.reject(new AbortedError(message, { cause: signal.reason }));
    }
    manyMayListen(signal);
    const deadline = { timeoutMs, expiresAt: monotonicNow() + timeoutMs };
    const pending = new PendingCall(this.#sequence++, call, options, deadline, this.#onEnd);
    this.#deadlines.note(deadline.expiresAt);
    if (this.#order.begin(pending)) this.#dispatcher.dispatch(pending);
    else pending.watch();
    return pending.answer;
  }

  /** Refuses what has not been sent; the transport ends what has. */
  close(): void {
    this.#closed = true;
    this.#deadlines.stop();
    for (const pending of [...this.#order.calls]) pending.close();
  }

  #end(ended: PendingCall<unknown>): void {
    const free = this.#order.end(ended);
    if (this.#closed) return;
    for (const pending of free) this.#dispatcher.dispatch(pending);
  }

  #sweep(now: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const pending of [...this.#order.calls]) {
      pending.checkDeadline(now);
      const { expiresAt } = pending.deadline;
      if (expiresAt > now) next = Math.min(next, expiresAt);
    }
    return next;
  }
}
