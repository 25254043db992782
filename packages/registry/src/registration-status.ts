import { assertValid, type CoordLogger, checkFunction } from '@coord/client/internal';
import type { RegistrationState } from './registration.js';

/** The state of a registration, for those who want to know of its changes. */
export class RegistrationStatus {
  readonly #logger: CoordLogger;
  readonly #listeners = new Set<(state: RegistrationState) => void>();
  #state: RegistrationState = 'recovering';

  constructor(logger: CoordLogger) {
    this.#logger = logger;
  }

  get state(): RegistrationState {
    return this.#state;
  }

  /** It stays so for good. */
  get isFinal(): boolean {
    return this.#state === 'superseded' || this.#state === 'deregistered';
  }

  subscribe(callback: (state: RegistrationState) => void): () => void {
    assertValid(checkFunction([], 'callback', callback));
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  set(state: RegistrationState): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) {
      try {
        listener(state);
      } catch (error) {
        this.#logger.error('a listener threw', { error });
      }
    }
    if (this.isFinal) this.#listeners.clear();
  }
}
