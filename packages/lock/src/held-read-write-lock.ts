import type { WaitOptions } from '@coord/client';
import { HeldLock } from './held-lock.js';
import type { Grant } from './hold.js';
import { DOWNGRADE, type MeasuredKind, TRY_UPGRADE } from './lock-operations.js';
import type { LockSupport } from './lock-support.js';
import { persist } from './persist.js';
import type { ReadWriteContender } from './read-write-contender.js';
import type { ReadLock, WriteLock } from './read-write-lock.js';

type ReadWriteGrant = Grant<ReadWriteContender>;

export class HeldReadLock extends HeldLock implements ReadLock {
  readonly #support: LockSupport;
  readonly #contender: ReadWriteContender;
  readonly #held: Set<HeldLock>;

  constructor(support: LockSupport, grant: ReadWriteGrant, held: Set<HeldLock>) {
    super(support, grant, held);
    this.#support = support;
    this.#contender = grant.hold;
    this.#held = held;
  }

  protected override get kind(): MeasuredKind {
    return 'read';
  }

  tryUpgrade(options?: WaitOptions): Promise<WriteLock> {
    const hold = this.#contender;
    const convert = () =>
      this.convert<WriteLock>('tryUpgrade', options, {
        change: (session) => hold.upgrade(session),
        undo: (persistently) => persist(() => hold.downgrade(), persistently),
        make: (grant) => new HeldWriteLock(this.#support, { ...grant, hold }, this.#held),
      });
    return this.#support.observer.observe(TRY_UPGRADE, { key: this.key }, convert);
  }
}

export class HeldWriteLock extends HeldLock implements WriteLock {
  readonly #support: LockSupport;
  readonly #contender: ReadWriteContender;
  readonly #held: Set<HeldLock>;

  constructor(support: LockSupport, grant: ReadWriteGrant, held: Set<HeldLock>) {
    super(support, grant, held);
    this.#support = support;
    this.#contender = grant.hold;
    this.#held = held;
  }

  protected override get kind(): MeasuredKind {
    return 'write';
  }

  downgrade(options?: WaitOptions): Promise<ReadLock> {
    const hold = this.#contender;
    const convert = () =>
      this.convert<ReadLock>('downgrade', options, {
        change: () => hold.downgrade(),
        // Readers may have been let in: nothing that needs a write lock may go on.
        onGivenUp: () => this.giveUp('its downgrade was not confirmed'),
        undo: async () => this.giveUp('its downgrade was not confirmed'),
        make: (grant) => new HeldReadLock(this.#support, { ...grant, hold }, this.#held),
      });
    return this.#support.observer.observe(DOWNGRADE, { key: this.key }, convert);
  }
}
