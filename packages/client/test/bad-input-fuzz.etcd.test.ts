import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CoordClient,
  CoordError,
  type Session,
  ValidationError,
  type WatchCache,
} from '../src/index.js';
import { mistreat } from './bad-input-support.js';
import { bad, hostile, revoked, throwing } from './bad-input-values.js';

let client: CoordClient;
let session: Session;
let cache: WatchCache<string>;
mistreat((made) => {
  ({ client, session, cache } = made);
});

const ODDITIES: Readonly<Record<string, () => unknown>> = {
  symbol: () => Symbol('s'),
  function: () => () => 'x',
  getter: () => throwing('key'),
  revoked,
  hostile,
};

interface Input {
  readonly value: unknown;
  /** One that fast-check itself could not look into: made late, and put at a place of the value. */
  readonly oddity: string | null;
  readonly at: string | null;
}

function inputOf({ value, oddity, at }: Input): unknown {
  if (oddity === null) return value;
  const odd = ODDITIES[oddity]?.();
  if (at === null) return odd;
  return typeof value === 'object' && value !== null ? { ...value, [at]: odd } : { [at]: odd };
}

/** Anything at all, with a preference for what is nearly right. */
function anything(): fc.Arbitrary<Input> {
  const words = [
    'prefix',
    'start',
    'end',
    'get',
    'put',
    'delete',
    'txn',
    'key',
    'value',
    'compare',
    'success',
  ];
  const names = [
    ...words,
    'failure',
    'target',
    'is',
    'to',
    'options',
    'signal',
    'timeoutMs',
    'session',
    'leaseId',
  ];
  const value = fc.anything({
    key: fc.oneof(fc.constantFrom(...names), fc.string()),
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withSet: true,
    withTypedArray: true,
    withSparseArray: true,
    values: [
      fc.string({ unit: 'binary' }),
      fc.constantFrom('mod', 'value', '=', '<', 'key', 'ascend', '', '\ud800', '\0'),
      fc.constantFrom(Number.NaN, Infinity, -1, 0, 1.5, 2 ** 53, 2n ** 63n, -1n, null, undefined),
    ],
  });
  const at = fc.option(fc.constantFrom(...names), { freq: 3 });
  return fc.record({ value, oddity: fc.option(fc.constantFrom(...Object.keys(ODDITIES)), { freq: 1 }), at });
}

/** Give the seed of a failed run to see the same inputs again. */
const seed = Number(process.env.COORD_SEED ?? Date.now() % 2 ** 31);

describe('whatever is given', () => {
  const promising: readonly ((a: never, b: never) => Promise<unknown>)[] = [
    (a, b) => client.kv.get(a, b),
    (a, b) => client.kv.range(a, b),
    (a, b) => client.kv.put('fuzz', a, b),
    (a, b) => client.kv.txn(a, b),
    (a, b) => client.kv.txn({ compare: [a], success: [b] }),
    (a) => session.keepAlive(a),
    (a) => client.ping(a),
    (a) => cache.waitFor(a, { timeoutMs: 20 }),
    (a) => cache.waitFor(0n, a),
    (a) => cache.synced(a),
  ];
  const making: readonly ((a: never, b: never) => { close(): Promise<void> } | AsyncIterable<unknown>)[] = [
    (a, b) => client.kv.list(a, b),
    (a, b) => client.watch(a, b),
    (a, b) => client.cache(a, b),
  ];

  it(`is carried out or refused with a typed error (COORD_SEED=${seed})`, async ({ task }) => {
    task.meta.writes = true; // some of it is good
    const input = fc.tuple(anything(), anything());
    const run = async (inputs: [Input, Input]) => {
      const [a, b] = [inputOf(inputs[0]), inputOf(inputs[1])];
      for (const call of promising) {
        const promise = call(bad(a), bad(b));
        const error: unknown = await promise.then(
          () => undefined,
          (reason: unknown) => reason,
        );
        if (error !== undefined) expect(error).toBeInstanceOf(CoordError);
      }
      for (const make of making) {
        try {
          const made = make(bad(a), bad(b));
          if ('close' in made) await made.close();
        } catch (error) {
          expect(error).toBeInstanceOf(ValidationError);
        }
      }
    };
    await fc.assert(fc.asyncProperty(input, run), {
      numRuns: 300,
      seed,
    });
  });
});
