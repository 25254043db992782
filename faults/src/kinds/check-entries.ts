import type { Violation } from '../violation.js';
import type { KindOperation } from './kinds-operations.js';

/** L6: a lock counts its entries, each entry has the same token, and what must be refused is. */
export function checkEntries(history: readonly KindOperation[]): Violation[] {
  const complaints: string[] = [];
  const lostAt = new Map<number, number>();
  for (const { name, input, invokedAt } of history) if (name === 'lost') lostAt.set(input.token, invokedAt);
  const entries = new Map<number, number>();
  for (const { name, input, output, returnedAt } of history) {
    if (output === undefined) continue;
    if (name === 'foreign release') complaints.push(`${input.by} released a lock by a token that nobody has`);
    if (name === 'other size') complaints.push(`${input.by} got a permit of a semaphore of another size`);
    if (name === 'acquire' && input.kind === 'mutex') entries.set(output.token, 1);
    if (name !== 'enter' && name !== 'leave') continue;
    // Whoever has lost it has no entries, and enters another.
    if ((lostAt.get(input.token) ?? Number.POSITIVE_INFINITY) <= returnedAt) continue;
    const count = (entries.get(input.token) ?? 0) + (name === 'enter' ? 1 : -1);
    entries.set(input.token, count);
    if (output.count !== count)
      complaints.push(`${input.by} has ${count} entries into ${input.token}, and was told ${output.count}`);
    if (name === 'enter' && output.token !== input.token)
      complaints.push(`${input.by} held ${input.token}, entered again, and got ${output.token}`);
  }
  return complaints.map((what) => ({ invariant: 'L6', what }));
}
