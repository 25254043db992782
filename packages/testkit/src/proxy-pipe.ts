import type { Socket } from 'node:net';

/** What the pipes of one direction have in common. The proxy changes it, the pipes obey. @internal */
export interface Direction {
  held: boolean;
  delayMs: number;
}

interface Queued {
  readonly dueAt: number;
  /** Undefined: the end of the stream. */
  readonly chunk: Buffer | undefined;
}

/** More than this waits in the kernel and in the sender, not here. */
const MAX_QUEUED_BYTES = 4 * 1024 * 1024;

/**
 * Copies what one socket sends to another, in order. While its direction is held it reads nothing, so the sender feels what
 * it would feel from a dead line: its bytes go nowhere and in the end it cannot send. Nothing is lost: it goes on after `heal`.
 *
 * @internal
 */
export class ProxyPipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #direction: Direction;
  readonly #queue: Queued[] = [];
  #queuedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #congested = false;

  constructor(from: Socket, to: Socket, direction: Direction) {
    this.#from = from;
    this.#to = to;
    this.#direction = direction;
    from.on('data', (chunk: Buffer) => this.#take(chunk));
    from.once('end', () => this.#take(undefined));
    to.on('drain', () => {
      this.#congested = false;
      this.update();
    });
    this.update();
  }

  /** To be called after the direction has changed. */
  update(): void {
    if (this.#direction.held) {
      this.#from.pause();
      clearTimeout(this.#timer);
      return;
    }
    this.#deliver();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  #take(chunk: Buffer | undefined): void {
    this.#queue.push({ dueAt: performance.now() + this.#direction.delayMs, chunk });
    this.#queuedBytes += chunk?.length ?? 0;
    if (!this.#direction.held) this.#deliver();
  }

  /** Passes on what is due, and sees to the rest. */
  #deliver(): void {
    clearTimeout(this.#timer);
    for (let head = this.#queue[0]; head && !this.#congested; head = this.#queue[0]) {
      const waitMs = head.dueAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.update(), Math.ceil(waitMs)).unref();
        break;
      }
      this.#queue.shift();
      this.#pass(head.chunk);
    }
    if (this.#congested || this.#queuedBytes >= MAX_QUEUED_BYTES) this.#from.pause();
    else this.#from.resume();
  }

  #pass(chunk: Buffer | undefined): void {
    this.#queuedBytes -= chunk?.length ?? 0;
    if (!this.#to.writable) return;
    if (chunk) this.#congested = !this.#to.write(chunk);
    else this.#to.end();
  }
}
