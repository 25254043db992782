import { type Backoff, backoffDelayMs } from './backoff.js';
import { cancelCall } from './cancel-call.js';
import { monotonicNow } from './clock.js';
import type { CoordError } from './errors.js';
import type { CoordLogger } from './logger.js';
import type { StreamRpcs } from './rpc.js';
import type { OpenStream, Transport } from './transport.js';

/** Who needs the stream. It is told synchronously and must not throw. */
export interface StreamUser<M extends keyof StreamRpcs> {
  /** How many need it: without any it is neither opened nor mended. */
  readonly needed: number;
  opened(opened: OpenStream<M>): void;
  received(response: StreamRpcs[M]['response'], opened: OpenStream<M>): void;
  /** The stream broke; another is on its way. */
  lost(error: CoordError): void;
  /** It could not be opened. True when there is no point in trying again: whoever waited has been told. */
  givesUp(error: unknown): boolean;
}

/** A stream that lived this long was a good one: the next break is a new trouble, mended at once. */
const STABLE_MS = 2_000;

/** A stream that is opened when it is needed, and opened again, perhaps elsewhere, when it breaks. */
export class ReconnectingStream<M extends keyof StreamRpcs> {
  readonly #method: M;
  readonly #transport: Transport;
  readonly #logger: CoordLogger;
  readonly #backoff: Backoff;
  readonly #user: StreamUser<M>;
  #live: OpenStream<M> | undefined;
  #openedAt = 0;
  #opening = false;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    method: M,
    options: { transport: Transport; logger: CoordLogger; backoff: Backoff },
    user: StreamUser<M>,
  ) {
    this.#method = method;
    this.#transport = options.transport;
    this.#logger = options.logger;
    this.#backoff = options.backoff;
    this.#user = user;
  }

  /** The stream in use, if there is one at the moment. */
  get live(): OpenStream<M> | undefined {
    return this.#live;
  }

  /** Opens it, unless it is open, about to be, or not needed. */
  open(): void {
    if (this.#opening || this.#live || this.#timer || this.#closed || this.#user.needed === 0) return;
    this.#opening = true;
    this.#transport.openStream(this.#method).then(
      (opened) => this.#opened(opened),
      (error) => this.#notOpened(error),
    );
  }

  /** Gives the stream in use up for another one. */
  replace(reason: string): void {
    if (this.#live) this.#drop(this.#live, new Error(reason));
  }

  /** Ends it until it is needed again. */
  end(): void {
    const live = this.#live;
    this.#live = undefined;
    if (live) cancelCall(live.stream);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.end();
  }

  #opened(opened: OpenStream<M>): void {
    this.#opening = false;
    const { stream } = opened;
    stream.on('error', (error) => this.#drop(opened, error));
    stream.on('end', () => this.#drop(opened, new Error('the server ended the stream')));
    if (this.#closed || this.#user.needed === 0) {
      cancelCall(stream);
      return;
    }
    stream.on('data', (response) => {
      if (this.#live !== opened) return;
      this.#transport.pool.succeeded(opened.endpoint);
      this.#user.received(response, opened);
    });
    this.#live = opened;
    this.#openedAt = monotonicNow();
    this.#user.opened(opened);
  }

  #notOpened(error: unknown): void {
    this.#opening = false;
    if (!this.#user.givesUp(error)) this.#retryLater(error);
  }

  /** The stream is gone: once for each stream, however it tells. */
  #drop(opened: OpenStream<M>, cause: unknown): void {
    if (this.#live !== opened) return;
    this.#live = undefined;
    cancelCall(opened.stream);
    if (monotonicNow() - this.#openedAt > STABLE_MS) this.#failures = 0;
    const { error } = this.#transport.streamFailed(this.#method, opened, cause);
    this.#user.lost(error);
    this.#retryLater(error);
  }

  #retryLater(error: unknown): void {
    const { needed } = this.#user;
    if (this.#closed || needed === 0 || this.#timer) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.warn(`${this.#method} stream lost, opening another`, { users: needed, reason });
    const delayMs = this.#failures === 0 ? 0 : backoffDelayMs(this.#failures, this.#backoff);
    this.#failures++;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.open();
    }, delayMs);
  }
}
