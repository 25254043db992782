import type { Link } from '../check-chain.js';
import type { OperationOf } from '../operation.js';

/** What `bounds` holds. Valid is what has `low` not above `high`. */
export interface Setting extends Link {
  readonly low: number;
  readonly high: number;
  /** Nothing is written after it. */
  readonly last: boolean;
}

export type Component = 'bounds' | 'pair' | 'tuned' | 'junk';

/** What a manager shows. */
export type Shown = Readonly<Record<string, unknown>>;

/** What the snapshot file of a manager held before it started. */
export type Saved = 'nothing' | 'whole' | 'broken';

/** One of the managers of a process, which come after one another. */
export interface Managing {
  readonly manager: string;
  readonly component: Component;
  /** Of the worker. */
  readonly index: number;
}

/** What a writer asks for; its id is the comment of what it writes. */
export interface Attempt {
  readonly id: string;
  readonly key: string;
}

export type ConfigShapes = {
  /** A writer's compare-and-set of `bounds`. */
  write: { input: Setting; output: { readonly version: number } };
  /** What others put there without Coord, in place of what they had read. */
  rubbish: { input: Link; output: object };
  /** Many keys in one step. A revert takes back what the process published before. */
  release: {
    input: { readonly id: string; readonly kind: 'publish' | 'revert'; readonly read: string };
    output: { readonly release: string };
  };
  /** One key. `written`: it was not so before. */
  change: {
    input: Attempt & { readonly kind: 'set' | 'delete' | 'rollback' | 'promote' };
    output: { readonly written: boolean };
  };
  canary: { input: { readonly id: string; readonly kind: 'start' | 'resize' | 'drop' }; output: object };
  override: { input: { readonly id: string; readonly kind: 'start' | 'end' }; output: object };
  schema: { input: { readonly maximum: number | null }; output: object };
  history: { input: { readonly key: string }; output: { readonly versions: readonly number[] } };
  junk: { input: { readonly id: string }; output: object };

  /** A manager has started. */
  start: { input: Managing & { readonly saved: Saved }; output: { readonly source: string } };
  /** What a manager's `current` has become. */
  expose: {
    input: Managing;
    output: { readonly value: Shown; readonly source: string; readonly revision: number };
  };
  /** A manager has refused what stood in etcd since this revision. */
  refuse: { input: Managing; output: { readonly revision: number } };
  /** A manager has reported a failure. */
  trouble: { input: Managing; output: { readonly during: string; readonly error: string } };
  /** It was waited until a manager had a version. */
  await: { input: Managing & { readonly version: number }; output: { readonly version: number } };
  /** Who uses what, by what each announces. */
  applied: {
    input: object;
    output: {
      readonly instances: readonly {
        readonly instance: string;
        readonly state: string;
        readonly revision: number;
      }[];
    };
  };
  /** A manager has come to its end. */
  over: { input: Managing; output: { readonly value: Shown; readonly rejected: number } };
  /** What a watch of all keys has come to at the end of a revision. */
  row: { input: object; output: Row };
};

/** The ids in the keys of a release; empty: none. */
export interface Row {
  readonly left: string;
  readonly right: string;
  readonly secret: string;
}

export type ConfigOperation = OperationOf<ConfigShapes>;

export const DEFAULT_SETTING: Setting = { id: '', read: '', low: 0, high: 0, last: false };

/** What each manager shows where etcd has nothing. */
export const DEFAULTS: Readonly<Record<Component, Shown>> = {
  bounds: { ...DEFAULT_SETTING },
  pair: { left: '', right: '', read: '' },
  tuned: { base: '', own: '', over: '' },
  junk: { id: '' },
};

/** What a service takes. */
export function isValid(component: Component, value: Shown): boolean {
  switch (component) {
    case 'bounds':
      return Number(value.low) <= Number(value.high);
    case 'pair':
      return value.left === value.right;
    case 'tuned':
      return !String(value.base).startsWith('bad');
    case 'junk':
      return typeof value.id === 'string';
  }
}
