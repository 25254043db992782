import { randomOf } from '../random.js';

export interface PlannedFault {
  /** After the one before has been mended. */
  readonly afterMs: number;
  readonly kind: string;
  /** Which member, counted from 0. */
  readonly member: number;
  /** How long it stays. */
  readonly holdMs: number;
}

export interface Kinds {
  /** These come before any other. */
  readonly first: readonly string[];
  /** These come again and again, each as often as it stands here, and none twice before all have come. */
  readonly all: readonly string[];
}

/** The faults of a run, one after the other: the same for the same seed, and without end unless there are none. */
export function* planFaults(seed: number, { first, all }: Kinds, members: number): Generator<PlannedFault> {
  const random = randomOf(seed, 'faults');
  for (let deck = shuffled(first, random); ; deck = shuffled(all, random)) {
    for (const kind of deck) {
      yield {
        afterMs: Math.round(100 + random() * 500),
        kind,
        member: Math.floor(random() * members),
        holdMs: Math.round(200 + random() * 800),
      };
    }
    if (all.length === 0) return;
  }
}

/** After Fisher and Yates. */
function shuffled(kinds: readonly string[], random: () => number): string[] {
  const deck = [...kinds];
  for (let left = deck.length; left > 1; left--) {
    const [drawn = ''] = deck.splice(Math.floor(random() * left), 1);
    deck.push(drawn);
  }
  return deck;
}
