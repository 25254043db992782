import { AbortedError, ClosedError, type CoordError, type Outcome, TimeoutError } from '../errors.js';
import type { CallOptions } from '../kv.js';
import type { ResponseHeader, ResponseOp } from '../kv-messages.js';
import type { BatchRules, Cargo, KvCall, SendUnary } from './kv-call.js';
import { memberError } from './refusal.js';

/** What carries a call at the moment, together with others. */
export interface Carrier {
  /** When it is given up at the latest, on the monotonic clock. */
  readonly expiresAt: number;
  /** One of those it carries does not want its answer any more. */
  leave(): void;
}

/** When a call is given up. */
export interface Deadline {
  readonly timeoutMs: number;
  /** On the monotonic clock. */
  readonly expiresAt: number;
}

/** How long a request may take that is sent now, in whole milliseconds: its error names them. */
export function timeLeft({ expiresAt }: { readonly expiresAt: number }, now: number): number {
  return Math.max(1, Math.round(expiresAt - now));
}

/** The two ends of a promise. */
interface Settle<Response> {
  resolve(response: Response): void;
  reject(error: unknown): void;
}

/** A batch that is given up at about the same time answers itself: it knows better what became of its calls. */
const SAME_TIME_MS = 50;

/**
 * A call that has been made and has no answer yet: its caller's promise, deadline and signal.
 *
 * It waits for its turn, then is sent by itself or carried by a batch; a batch that is refused sets it free
 * again. Whatever ends it first, counts.
 */
export class PendingCall<Response> {
  /** Grows from call to call. */
  readonly sequence: number;
  readonly call: KvCall<Response>;
  readonly options: CallOptions;
  readonly deadline: Deadline;
  readonly answer: Promise<Response>;
  readonly #onEnd: (call: PendingCall<unknown>) => void;
  readonly #settle: Settle<Response>;
  #cargo: Cargo<Response> | undefined;
  #ended = false;
  #watched = false;
  #carrier: Carrier | undefined;
  /** An earlier attempt may have been applied, whatever becomes of the next one. */
  #mayBeApplied = false;

  constructor(
    sequence: number,
    call: KvCall<Response>,
    options: CallOptions,
    deadline: Deadline,
    onEnd: (call: PendingCall<unknown>) => void,
  ) {
    this.sequence = sequence;
    this.call = call;
    this.options = options;
    this.deadline = deadline;
    this.#onEnd = onEnd;
    let settle: Settle<Response> = { resolve: ignore, reject: ignore };
    this.answer = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.#settle = settle;
  }

  get footprint(): KvCall<Response>['footprint'] {
    return this.call.footprint;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Makes it ready for a batch. @returns undefined when no batch can take it */
  load(rules: () => BatchRules): Cargo<Response> | undefined {
    this.#cargo = this.call.load(rules);
    return this.#cargo;
  }

  /** It is not on its way yet, or not by itself: from here on its signal is minded here. */
  watch(): void {
    if (this.#watched) return;
    this.#watched = true;
    this.options.signal?.addEventListener('abort', this, { once: true });
  }

  /** The caller aborts. */
  handleEvent(): void {
    const cause: unknown = this.options.signal?.reason;
    const message = `${this.call.method}: aborted by the caller`;
    this.#giveUp(new AbortedError(message, { cause, outcome: this.#outcome }));
  }

  /**
   * Sends it as the plain RPC and ends it with the answer.
   * @param doubt the error of an earlier attempt that may have been applied: it stands, unless the answer refutes it
   * @returns the error, if it failed
   */
  async sendAlone(send: SendUnary, now: number, doubt?: unknown): Promise<unknown> {
    this.#carrier = undefined;
    if (doubt !== undefined) this.#mayBeApplied = true; // also if this attempt never gets anywhere
    const timeoutMs = timeLeft(this.deadline, now);
    // From here on the transport minds deadline and signal.
    const options = this.#watched ? { ...this.options, timeoutMs } : this.options;
    this.#unwatch();
    try {
      const response = await this.call.sendAlone(send, options);
      if (doubt !== undefined && !this.call.confirms(response)) throw doubt;
      this.#settle.resolve(response);
      this.#end();
      return undefined;
    } catch (error) {
      const inTime = !(error instanceof TimeoutError) || error.timeoutMs === this.deadline.timeoutMs;
      this.fail(inTime ? error : memberError(error, this.call.method, this.deadline.timeoutMs));
      return error;
    }
  }

  /** It is on its way with others. */
  board(carrier: Carrier): void {
    this.#carrier = carrier;
  }

  /** The batch that carried it was refused. @param lost an attempt of it may have been applied all the same */
  alight(lost: boolean): void {
    this.#carrier = undefined;
    if (lost) this.#mayBeApplied = true;
  }

  deliver(answers: readonly ResponseOp[], header: ResponseHeader): void {
    if (this.#ended) return;
    try {
      if (this.#cargo !== undefined) this.#settle.resolve(this.#cargo.unpack(answers, header));
      this.#end();
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error: unknown): void {
    if (this.#ended) return;
    this.#settle.reject(this.#mayBeApplied ? asUnknown(error) : error);
    this.#end();
  }

  /** Gives it up if its time is over and nothing that carries it is about to say so. */
  checkDeadline(now: number): void {
    const { expiresAt, timeoutMs } = this.deadline;
    if (this.#ended || !this.#watched || now < expiresAt) return;
    if (this.#carrier !== undefined && this.#carrier.expiresAt <= expiresAt + SAME_TIME_MS) return;
    const state = this.#carrier === undefined ? 'not sent' : 'no answer';
    const message = `${this.call.method}: ${state} within ${timeoutMs} ms`;
    this.#giveUp(new TimeoutError(message, { timeoutMs, outcome: this.#outcome }));
  }

  /** The client closes: what has not been sent, never will be. */
  close(): void {
    if (this.#ended || this.#carrier !== undefined || !this.#watched) return;
    this.fail(new ClosedError(`${this.call.method}: the client is closed`, { outcome: this.#outcome }));
  }

  #giveUp(error: CoordError): void {
    const carrier = this.#carrier;
    this.#settle.reject(error);
    this.#end();
    carrier?.leave();
  }

  /** What it means to give it up now. */
  get #outcome(): Outcome {
    if (this.call.kind === 'read') return 'not-applied';
    return this.#carrier !== undefined || this.#mayBeApplied ? 'unknown' : 'not-applied';
  }

  #end(): void {
    this.#ended = true;
    this.#carrier = undefined;
    this.#unwatch();
    this.#onEnd(this);
  }

  #unwatch(): void {
    if (this.#watched) this.options.signal?.removeEventListener('abort', this);
    this.#watched = false;
  }
}

function ignore(): void {}

function asUnknown(error: unknown): unknown {
  return error instanceof Error ? Object.assign(error, { outcome: 'unknown' }) : error;
}
