/** A connected instance, as a balancing policy sees it. The same object for as long as the instance stays. */
export interface Candidate {
  /** `host:port`. */
  readonly address: string;
  /** At least 0, finite. Changes in place. */
  readonly weight: number;
  readonly zone: string | undefined;
  /** Calls that it has been given and that have not ended. */
  readonly callsInFlight: number;
}

/** Chooses an instance for each call. It may be asked twice for one call, so a pick alone proves nothing. */
export interface Policy {
  /**
   * @param candidates not empty; the same array until the connected instances, or their weights, change
   * @param key what the call is to be hashed by, should the policy hash
   */
  pick<C extends Candidate>(candidates: readonly C[], key: string | undefined): C | undefined;
}

/** From 0 up to, but not including, 1. */
export type Random = () => number;

/** Each policy by the name that grpc-js knows it by. */
export const POLICIES: Readonly<Record<PolicyName, (random: Random) => Policy>> = {
  coord_random: (random) => ({ pick: (candidates) => anyOf(candidates, random) }),
  coord_weighted: smoothWeighted,
  coord_least_conn: leastConnections,
  coord_p2c: powerOfTwoChoices,
  coord_ring_hash: consistentHash,
};

export type PolicyName =
  | 'coord_random'
  | 'coord_weighted'
  | 'coord_least_conn'
  | 'coord_p2c'
  | 'coord_ring_hash';

/**
 * Smooth weighted round robin, as nginx has it: 5:1:1 gives a a b a c a a, never five in a row.
 * @see https://github.com/nginx/nginx/commit/52327e0627f49dbda1e8db695e63a4b0af4448b1
 */
function smoothWeighted(): Policy {
  let known: readonly Candidate[] = [];
  /** By position in `known`, as `weights` are: for hundreds of instances a map would cost more than the call. */
  let credits = new Float64Array();
  let weights = new Float64Array();
  let total = 0;
  const learn = (candidates: readonly Candidate[]) => {
    const before = new Map(known.map((candidate, index) => [candidate, credits[index]]));
    credits = Float64Array.from(candidates, (candidate) => before.get(candidate) ?? 0);
    const even = candidates.every(({ weight }) => weight === 0);
    weights = Float64Array.from(candidates, ({ weight }) => (even ? 1 : weight));
    total = weights.reduce((sum, weight) => sum + weight, 0);
    known = candidates;
  };
  return {
    pick(candidates) {
      if (candidates !== known) learn(candidates);
      let best = 0;
      let most = Number.NEGATIVE_INFINITY;
      for (let index = 0; index < credits.length; index++) {
        const credit = (credits[index] ?? 0) + (weights[index] ?? 0);
        credits[index] = credit;
        if (credit > most) {
          best = index;
          most = credit;
        }
      }
      credits[best] = most - total;
      return candidates[best];
    },
  };
}

/** The fewest calls in flight for its weight; among equals any. */
function leastConnections(random: Random): Policy {
  return {
    pick(candidates) {
      let best = candidates[0];
      let least = Number.POSITIVE_INFINITY;
      let equals = 0;
      for (const candidate of candidates) {
        const load = loadOf(candidate);
        if (load < least) equals = 0;
        if (load > least) continue;
        equals += 1;
        least = load;
        if (random() * equals < 1) best = candidate;
      }
      return best;
    },
  };
}

/**
 * The less loaded of two different ones that are drawn by lot: nearly as good as least_conn, at a cost that
 * does not grow with the instances, and without a herd of clients that all choose the same one.
 */
function powerOfTwoChoices(random: Random): Policy {
  return {
    pick(candidates) {
      const first = Math.floor(random() * candidates.length);
      const second = (first + 1 + Math.floor(random() * (candidates.length - 1))) % candidates.length;
      const [a, b] = [candidates[first], candidates[second]];
      return a === undefined || b === undefined || loadOf(a) <= loadOf(b) ? a : b;
    },
  };
}

/**
 * Calls with the same key go to the same instance, and only the keys of an instance that comes or goes
 * move: weighted rendezvous hashing, which needs no ring to be rebuilt. A call without a key goes anywhere.
 * @see https://www.snia.org/sites/default/files/SDC15_presentations/dist_sys/Jason_Resch_New_Consistent_Hashings_Rev.pdf
 */
function consistentHash(random: Random): Policy {
  let known: readonly Candidate[] = [];
  let hashes = new Uint32Array();
  return {
    pick(candidates, key) {
      if (key === undefined) return anyOf(candidates, random);
      if (candidates !== known) {
        hashes = Uint32Array.from(candidates, ({ address }) => hash(address));
        known = candidates;
      }
      const keyHash = hash(key);
      let best = candidates[0];
      let highest = Number.NEGATIVE_INFINITY;
      for (const [index, candidate] of candidates.entries()) {
        // From 0 to 1, both excluded.
        const share = (scramble(keyHash ^ (hashes[index] ?? 0)) + 0.5) / 2 ** 32;
        const score = -(candidate.weight || Number.MIN_VALUE) / Math.log(share);
        if (score > highest) {
          best = candidate;
          highest = score;
        }
      }
      return best;
    },
  };
}

/** Of instances that all weigh nothing, the one with the fewest calls. */
function loadOf({ callsInFlight, weight }: Candidate): number {
  return (callsInFlight + 1) / (weight || Number.EPSILON);
}

function anyOf<C>(candidates: readonly C[], random: Random): C | undefined {
  return candidates[Math.floor(random() * candidates.length)];
}

/** FNV-1a of the UTF-16 units: the same in every process. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return scramble(value);
}

/** The finalizer of MurmurHash3: each bit of the input changes half of the output's. */
function scramble(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
