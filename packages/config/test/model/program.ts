import fc from 'fast-check';

/** What a program changes, or does to the lines. Versions and releases are chosen when it runs, among those that are known then. */
export type Action =
  | { readonly type: 'set'; readonly key: string }
  | { readonly type: 'cas'; readonly key: string; readonly off: number; readonly by: 'version' | 'revision' }
  | { readonly type: 'delete'; readonly key: string; readonly guarded: boolean }
  | { readonly type: 'rollback'; readonly key: string; readonly back: number }
  | { readonly type: 'adopt'; readonly key: string }
  | { readonly type: 'publish'; readonly parts: readonly PublishPart[] }
  | { readonly type: 'revert'; readonly back: number; readonly force: boolean }
  | { readonly type: 'outside put'; readonly key: string }
  | { readonly type: 'outside delete'; readonly key: string }
  | { readonly type: 'compact' }
  /** Ends every connection of the actor. */
  | { readonly type: 'cut' }
  /** From now on etcd's answers are lost; the actor's line is cut and healed some steps later. */
  | { readonly type: 'lose answers' };

export interface PublishPart {
  readonly key: string;
  readonly delete: boolean;
  readonly guarded: boolean;
}

export interface Step {
  /** Which client acts; both act through lines of their own. */
  readonly actor: 0 | 1;
  readonly action: Action;
  /** Whether the program waits for it, or goes on at once. */
  readonly awaited: boolean;
}

export const KEYS = ['a', 'b', 'c/d'] as const;

const key = fc.constantFrom(...KEYS);
const rarely = fc.oneof(
  { weight: 3, arbitrary: fc.constant(false) },
  { weight: 1, arbitrary: fc.constant(true) },
);

const part: fc.Arbitrary<PublishPart> = fc.record({ key, delete: rarely, guarded: rarely });

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('set' as const), key }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('cas' as const),
      key,
      off: fc.constantFrom(0, 0, 0, 1),
      by: fc.constantFrom('version' as const, 'revision' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete' as const), key, guarded: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('rollback' as const), key, back: fc.constantFrom(1, 1, 2, 3) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('adopt' as const), key }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('publish' as const),
      parts: fc.uniqueArray(part, { minLength: 1, maxLength: 3, selector: (each) => each.key }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('revert' as const),
      back: fc.constantFrom(0, 0, 1),
      force: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('outside put' as const), key }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('outside delete' as const), key }) },
  { weight: 1, arbitrary: fc.constant({ type: 'compact' as const }) },
  { weight: 2, arbitrary: fc.constant({ type: 'cut' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'lose answers' as const }) },
);

export const programs: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({ actor: fc.constantFrom(0 as const, 1 as const), action, awaited: fc.boolean() }),
  { minLength: 5, maxLength: 40, size: 'max' },
);
