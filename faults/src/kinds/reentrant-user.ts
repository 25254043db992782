import { CoordError } from '@coord/client';
import type { ReentrantLock } from '@coord/lock';
import { grantOf, KindUser, WAIT_MS } from './kind-user.js';
import { kindKeys } from './kinds-names.js';
import type { OfHold } from './kinds-operations.js';

const FOREIGN_ONE_IN = 8;
const ENOUGH_STOLEN = 5;

/** Enters the same lock twice, and leaves it twice. */
export class ReentrantUser extends KindUser {
  #stolen = 0;

  protected override async round(): Promise<void> {
    const { context, locks, by } = this.scene;
    const of = this.of('mutex', 'mutex');
    if (context.isPlanted('foreign release')) await this.#steal();
    if (context.random() < 1 / FOREIGN_ONE_IN) await this.#foreignRelease();
    const granted = await this.acquire(of, () =>
      locks.acquireReentrant(this.name, { owner: by, timeoutMs: WAIT_MS }),
    );
    if (granted === undefined) return;
    const { lock, hold } = granted;
    const inner = await this.#enter(lock, hold);
    if (inner !== undefined) {
      await this.use(inner, hold);
      await this.#leave(inner, lock, hold);
    }
    await this.use(lock, hold);
    await this.release(lock, hold);
  }

  /** By turns by itself, and by its owner. */
  async #enter(lock: ReentrantLock, hold: OfHold): Promise<ReentrantLock | undefined> {
    const { context, locks, by } = this.scene;
    const byItself = context.random() < 0.5;
    const entered: ReentrantLock[] = [];
    await context.recorder.perform('enter', hold, async () => {
      const inner = await (byItself
        ? lock.reenter()
        : locks.acquireReentrant(this.name, { owner: by, timeoutMs: WAIT_MS }));
      entered.push(inner);
      return { ...grantOf(inner), count: inner.acquireCount };
    });
    const [inner] = entered;
    if (inner === undefined || inner.fencingToken === lock.fencingToken) return inner;
    // The lock was lost meanwhile, and this is another one.
    const another = this.holdOf(inner, this.of('mutex', 'mutex'));
    await this.release(inner, another);
    return undefined;
  }

  async #leave(inner: ReentrantLock, outer: ReentrantLock, hold: OfHold): Promise<void> {
    const { context } = this.scene;
    await context.recorder.perform('leave', hold, async () => {
      await inner.release();
      if (context.isPlanted('leaves at once')) await outer.release();
      return { count: inner.acquireCount };
    });
  }

  async #foreignRelease(): Promise<void> {
    const { context, locks } = this.scene;
    await context.recorder.perform('foreign release', this.of('mutex', 'mutex'), async () => {
      await locks.forceRelease(this.name, 1n);
      return {};
    });
  }

  /** A planted mistake: it removes the key at the head, whoever's that is. */
  async #steal(): Promise<void> {
    const { kv } = this.scene.client;
    const prefix = kindKeys(this.name).mutex;
    const sort = { by: 'create', order: 'ascend' } as const;
    const head = () => kv.range({ prefix }, { limit: 1, sort }).then(({ kvs }) => kvs[0]);
    const stolen = await head()
      .then((key) => key && kv.delete(key.key))
      .catch((error: unknown) => {
        if (!CoordError.is(error)) throw error;
      });
    if (stolen?.deleted) this.#stolen += 1;
    if (this.#stolen === ENOUGH_STOLEN) await this.at('having stolen', this.of('mutex', 'mutex'));
  }
}
