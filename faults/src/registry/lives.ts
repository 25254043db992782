import type { RegistryOperation } from './registry-operations.js';

/** A registration, as its owner has it. */
export interface Life {
  readonly registration: string;
  readonly id: string;
  readonly process: string;
  readonly begunAt: number;
  /** When it was acknowledged; absent: it never was. */
  readonly registeredAt: number | undefined;
  /** When its owner wanted to be rid of it. */
  leftAt: number;
}

/** By the names of the registrations. */
export function livesOf(history: readonly RegistryOperation[]): Map<string, Life> {
  const lives = new Map<string, Life>();
  for (const { name, process, input, outcome, invokedAt, returnedAt } of history) {
    if (name !== 'register') continue;
    const registeredAt = outcome === 'ok' ? returnedAt : undefined;
    lives.set(input.registration, {
      ...{ registration: input.registration, id: input.id, process, begunAt: invokedAt, registeredAt },
      leftAt: Number.POSITIVE_INFINITY,
    });
  }
  for (const { name, input, invokedAt } of history) {
    if (name !== 'leave') continue;
    const life = lives.get(input.registration);
    if (life !== undefined) life.leftAt = Math.min(life.leftAt, invokedAt);
  }
  return lives;
}
