import type { KeyState } from './key-state.js';

const MAX_KEYS = 1_000;
const MAX_VALUE_BYTES = 4 * 1024;

/**
 * The state in which this centre left the keys that it wrote last, so that the next write need not ask what is there.
 * It may be outdated: a write that goes by it is guarded, and asks when that fails.
 */
export class KnownStates {
  /** The one written longest ago first. */
  readonly #states = new Map<string, KeyState>();

  get(key: string): KeyState | undefined {
    return this.#states.get(key);
  }

  /** Takes the place of an older one. */
  remember(key: string, state: KeyState): void {
    const known = this.#states.get(key);
    if (known !== undefined && known.metaRevision > state.metaRevision) return;
    this.#states.delete(key);
    if (state.raw !== undefined && state.raw.value.length > MAX_VALUE_BYTES) return;
    if (state.schema?.text !== undefined) return; // values are to be checked against the schema of today
    this.#states.set(key, state);
    const [oldest] = this.#states.keys();
    if (this.#states.size > MAX_KEYS && oldest !== undefined) this.#states.delete(oldest);
  }

  forget(key: string): void {
    this.#states.delete(key);
  }
}
