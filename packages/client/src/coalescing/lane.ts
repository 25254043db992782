import { monotonicNow } from '../clock.js';

/** A request under way that occupies a slot. */
export interface Flight {
  readonly startedAt: number;
  /** It takes too long to be waited for. */
  overdue: boolean;
}

/** After this long a request does not hold up others any more: its member may be frozen. */
const OVERDUE_MS = 250;

/**
 * Requests of one sort: as many at a time as there are slots, and a queue of what goes with the next ones.
 */
export class Lane<T> {
  queue: T[] = [];
  readonly #slots: number;
  readonly #flights = new Set<Flight>();
  readonly #onRoom: (lane: Lane<T>) => void;
  #gathering = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param onRoom called when something waits and there has come to be a slot for it */
  constructor(slots: number, onRoom: (lane: Lane<T>) => void) {
    this.#slots = slots;
    this.#onRoom = onRoom;
  }

  /** Whether a request may go now. */
  get hasRoom(): boolean {
    return !this.#gathering && this.#busy < this.#slots;
  }

  get #busy(): number {
    let busy = 0;
    for (const { overdue } of this.#flights) if (!overdue) busy++;
    return busy;
  }

  enqueue(call: T): void {
    this.queue.push(call);
    if (this.hasRoom) this.gather();
    else if (this.#timer === undefined && !this.#gathering) this.#awaitOverdue();
  }

  depart(): Flight {
    const flight = { startedAt: monotonicNow(), overdue: false };
    this.#flights.add(flight);
    return flight;
  }

  arrive(flight: Flight): void {
    this.#flights.delete(flight);
    this.#offer();
  }

  /**
   * Holds the next request back to the end of this turn of the event loop: who calls in the same turn goes
   * with it, as do those who have just got their answers and call again. Else the first of them would go by
   * itself, and all others wait for it. With nobody else it costs some microseconds.
   */
  gather(): void {
    if (this.#gathering) return;
    this.#gathering = true;
    setImmediate(() => {
      this.#gathering = false;
      this.#offer();
    });
  }

  #offer(): void {
    if (this.queue.length > 0 && this.hasRoom) this.#onRoom(this);
    if (this.queue.length > 0 && this.#timer === undefined && !this.#gathering) this.#awaitOverdue();
  }

  #awaitOverdue(): void {
    let oldest = Number.POSITIVE_INFINITY;
    for (const { overdue, startedAt } of this.#flights) if (!overdue) oldest = Math.min(oldest, startedAt);
    if (oldest === Number.POSITIVE_INFINITY) return;
    const ms = Math.max(1, oldest + OVERDUE_MS - monotonicNow());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const before = monotonicNow() - OVERDUE_MS;
      for (const flight of this.#flights) if (flight.startedAt <= before) flight.overdue = true;
      this.#offer();
    }, ms);
    this.#timer.unref();
  }
}
