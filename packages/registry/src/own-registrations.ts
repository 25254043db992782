import type { InstanceRegistration } from './instance-registration.js';

/**
 * What a registry has registered itself, by key.
 *
 * A key that somebody else has taken over is remembered, until it is registered here again: through this registry it
 * goes on to mean the registration of old, and never the successor.
 */
export class OwnRegistrations {
  readonly #live = new Map<string, Set<InstanceRegistration>>();
  readonly #takenOver = new Set<string>();
  /** They give way to a newer one of this very registry. */
  readonly #replacedHere = new WeakSet<InstanceRegistration>();

  add(key: string, registration: InstanceRegistration): void {
    const live = this.#live.get(key) ?? new Set();
    this.#live.set(key, live.add(registration));
  }

  /** From here on it has the key; earlier ones learn of it by themselves. */
  established(key: string, registration: InstanceRegistration): void {
    this.#takenOver.delete(key);
    for (const earlier of this.of(key)) {
      if (earlier === registration) break;
      this.#replacedHere.add(earlier);
    }
  }

  ended(key: string, registration: InstanceRegistration): void {
    const live = this.#live.get(key);
    live?.delete(registration);
    if (live?.size === 0) this.#live.delete(key);
    const byOthers = registration.state === 'superseded' && !this.#replacedHere.has(registration);
    if (byOthers && live?.size === 0) this.#takenOver.add(key);
  }

  /** Those that have not ended, the newest last. */
  of(key: string): readonly InstanceRegistration[] {
    return [...(this.#live.get(key) ?? [])];
  }

  isTakenOver(key: string): boolean {
    return this.#takenOver.has(key);
  }

  keys(): string[] {
    return [...this.#live.keys(), ...this.#takenOver];
  }

  all(): InstanceRegistration[] {
    return [...this.#live.values()].flatMap((registrations) => [...registrations]);
  }
}
