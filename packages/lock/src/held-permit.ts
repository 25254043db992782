import { HeldLock } from './held-lock.js';
import type { Grant } from './hold.js';
import type { MeasuredKind } from './lock-operations.js';
import type { LockSupport } from './lock-support.js';
import type { Permit } from './semaphore.js';

export class HeldPermit extends HeldLock implements Permit {
  readonly weight: number;

  constructor(support: LockSupport, grant: Grant, held: Set<HeldLock>, weight: number) {
    super(support, grant, held);
    this.weight = weight;
  }

  protected override get kind(): MeasuredKind {
    return 'semaphore';
  }
}
