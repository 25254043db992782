import { HeldLock } from './held-lock.js';
import type { Grant } from './hold.js';
import type { Lock } from './lock.js';
import type { MeasuredKind } from './lock-operations.js';
import type { LockSupport } from './lock-support.js';

/** The locks of several names, held and released as one. `fencingToken` is the one token of them all. */
export interface MultiLock extends Lock {
  /** The names, each once. `key` shows them all. */
  readonly keys: readonly string[];
  /** Our key in the queue of each name; `etcdKey` is the first. */
  readonly etcdKeys: readonly string[];
}

export class HeldMultiLock extends HeldLock implements MultiLock {
  readonly keys: readonly string[];
  readonly etcdKeys: readonly string[];

  constructor(support: LockSupport, grant: Grant, held: Set<HeldLock>, keys: readonly string[]) {
    super(support, grant, held);
    this.keys = keys;
    this.etcdKeys = grant.hold.etcdKeys;
  }

  protected override get kind(): MeasuredKind {
    return 'multi';
  }
}
