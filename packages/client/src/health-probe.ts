import { backoffDelayMs } from './backoff.js';
import { monotonicNow } from './clock.js';
import type { Endpoint } from './endpoint.js';

interface Patient {
  failures: number;
  dueAt: number;
}

const BACKOFF = { initialDelayMs: 1_000, maxDelayMs: 10_000, multiplier: 2 };

/**
 * Asks endpoints that have failed now and then how they are, so that their recovery is noticed
 * without a call having to risk it. Keeps no process alive.
 */
export class HealthProbe {
  readonly #ask: (endpoint: Endpoint) => Promise<void>;
  readonly #patients = new Map<Endpoint, Patient>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param ask tells the pool what came of it */
  constructor(ask: (endpoint: Endpoint) => Promise<void>) {
    this.#ask = ask;
  }

  /** The endpoint has failed: it is asked until it has recovered. */
  failed(endpoint: Endpoint): void {
    if (this.#closed || this.#patients.has(endpoint)) return;
    this.#patients.set(endpoint, { failures: 0, dueAt: 0 });
    this.#postpone(endpoint);
  }

  recovered(endpoint: Endpoint): void {
    this.#patients.delete(endpoint);
  }

  close(): void {
    this.#closed = true; // what was under way fails after this
    clearTimeout(this.#timer);
    this.#patients.clear();
  }

  #postpone(endpoint: Endpoint): void {
    const patient = this.#patients.get(endpoint);
    if (patient === undefined) return; // it has recovered
    patient.failures++;
    patient.dueAt = monotonicNow() + backoffDelayMs(patient.failures, BACKOFF);
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#patients.size === 0) return;
    const dueAt = Math.min(...[...this.#patients.values()].map((patient) => patient.dueAt));
    if (dueAt === Number.POSITIVE_INFINITY) return; // all are being asked
    this.#timer = setTimeout(() => this.#askDue(), Math.max(0, dueAt - monotonicNow()));
    this.#timer.unref();
  }

  #askDue(): void {
    for (const [endpoint, patient] of this.#patients) {
      if (patient.dueAt > monotonicNow()) continue;
      patient.dueAt = Number.POSITIVE_INFINITY;
      const again = () => this.#postpone(endpoint);
      this.#ask(endpoint).then(again, again);
    }
    this.#schedule();
  }
}
