/**
 * What a process did with its lock: it read a list, and wrote it back with an entry of its own.
 *
 * `ok`: the write was acknowledged. `failed`: it was certainly not applied. `unknown`: nobody can say.
 */
export interface Write {
  /** Unique; what it adds to the list. */
  readonly id: string;
  readonly token: bigint;
  readonly outcome: 'ok' | 'failed' | 'unknown';
}

export interface History {
  /** In no order: the processes have no common clock. */
  readonly writes: readonly Write[];
  /** The list at the end, oldest entry first. */
  readonly list: readonly string[];
}

export interface Findings {
  /** Acknowledged, and not there: somebody wrote over it. */
  readonly lost: readonly string[];
  /** There, though nobody wrote it, or though its write is known to have failed. */
  readonly phantoms: readonly string[];
  readonly duplicates: readonly string[];
  /** Entries whose token is not greater than that of the entry before. */
  readonly outOfOrder: readonly string[];
  /** Tokens that were granted more than once. */
  readonly reusedTokens: readonly bigint[];
}

/** Each acknowledged write is there once, nothing else is, and the tokens rise. */
export function checkHistory({ writes, list }: History): Findings {
  const byId = new Map(writes.map((write) => [write.id, write]));
  const there = new Set(list);
  const tokens = writes.map(({ token }) => token);
  return {
    lost: writes.filter(({ id, outcome }) => outcome === 'ok' && !there.has(id)).map(({ id }) => id),
    phantoms: list.filter((id) => {
      const outcome = byId.get(id)?.outcome;
      return outcome === undefined || outcome === 'failed';
    }),
    duplicates: list.filter((id, i) => list.indexOf(id) !== i),
    outOfOrder: list.filter((id, i) => {
      const before = byId.get(list[i - 1] ?? '')?.token;
      const token = byId.get(id)?.token;
      return before !== undefined && token !== undefined && token <= before;
    }),
    reusedTokens: tokens.filter((token, i) => tokens.indexOf(token) !== i),
  };
}
