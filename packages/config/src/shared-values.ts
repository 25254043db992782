import { ValidationError } from '@coord/client';
import type { ConfigStore } from './config-store.js';
import { deepFreeze } from './deep-freeze.js';
import type { KeyState } from './key-state.js';
import { plainValueOf, type StateValue } from './to-config-change.js';

/**
 * What states say, decoded once for all who ask. It is frozen as far as it can be: bytes cannot, so who hands them
 * on hands on a copy.
 */
export class SharedValues {
  readonly #store: ConfigStore;
  readonly #values = new WeakMap<KeyState, { readonly value: StateValue }>();

  constructor(store: ConfigStore) {
    this.#store = store;
  }

  of(key: string, state: KeyState): StateValue {
    const known = this.#values.get(state);
    if (known !== undefined) return known.value;
    const value = plainValueOf(this.#store, key, state);
    if (value !== undefined && !(value instanceof ValidationError)) deepFreeze(value.value);
    this.#values.set(state, { value });
    return value;
  }
}
