import type { ReadLock, WriteLock } from '@coord/lock';
import { grantOf, KindUser, WAIT_MS } from './kind-user.js';
import type { Kind } from './kinds-names.js';
import type { OfHold } from './kinds-operations.js';

/** Reads more often than it writes, and sometimes becomes a writer or a reader while it holds the lock. */
export class ReadWriteUser extends KindUser {
  protected override async round(): Promise<void> {
    const { context, locks } = this.scene;
    const draw = context.random();
    const kind = draw < 0.7 ? 'read' : 'write';
    const of = this.of('read-write', kind);
    if (context.isPlanted(kind === 'read' ? 'rushing reader' : 'rushing writer')) {
      return await this.rush(of);
    }
    if (kind === 'read') {
      const granted = await this.acquire(of, () => locks.acquireReadLock(this.name, { timeoutMs: WAIT_MS }));
      if (granted !== undefined) await this.#hold(granted.lock, granted.hold, draw < 0.2);
    } else {
      const granted = await this.acquire(of, () => locks.acquireWriteLock(this.name, { timeoutMs: WAIT_MS }));
      if (granted !== undefined) await this.#hold(granted.lock, granted.hold, draw > 0.85);
    }
  }

  async #hold(lock: ReadLock | WriteLock, hold: OfHold, converts: boolean): Promise<void> {
    await this.use(lock, hold);
    const converted = converts ? await this.#convert(lock, hold) : undefined;
    if (converted === undefined) return await this.release(lock, hold);
    await this.use(converted.lock, converted.hold);
    await this.release(converted.lock, converted.hold);
  }

  async #convert(lock: ReadLock | WriteLock, hold: OfHold) {
    const to: Kind = hold.kind === 'read' ? 'write' : 'read';
    const converted: (ReadLock | WriteLock)[] = [];
    await this.scene.context.recorder.perform('convert', { ...hold, to }, async () => {
      const other = await ('tryUpgrade' in lock ? lock.tryUpgrade() : lock.downgrade());
      converted.push(other);
      return grantOf(other);
    });
    const [other] = converted;
    return other && { lock: other, hold: this.holdOf(other, { ...hold, kind: to }) };
  }
}
