import { KindUser, WAIT_MS } from './kind-user.js';
import { PERMITS } from './kinds-names.js';

const OTHER_SIZE_ONE_IN = 8;

/** Holds one or two permits at a time. */
export class PermitUser extends KindUser {
  /** Only then it is certain that the semaphore has its size: the first who uses it says how many permits there are. */
  #hasHeld = false;

  protected override async round(): Promise<void> {
    const { context, locks } = this.scene;
    const of = this.of('permit', 'permit');
    const weight = context.random() < 0.7 ? 1 : 2;
    if (this.#hasHeld && context.random() < 1 / OTHER_SIZE_ONE_IN) await this.#otherSize();
    if (this.#hasHeld && context.isPlanted('rushing for a permit')) return await this.rush(of);
    const semaphore = locks.semaphore(this.name, { permits: PERMITS });
    const granted = await this.acquire(of, () => semaphore.acquire(weight, { timeoutMs: WAIT_MS }));
    if (granted === undefined) return;
    this.#hasHeld = true;
    await this.use(granted.lock, granted.hold);
    await this.release(granted.lock, granted.hold);
  }

  async #otherSize(): Promise<void> {
    const { context, locks } = this.scene;
    await context.recorder.perform('other size', this.of('permit', 'permit'), async () => {
      const permit = await locks
        .semaphore(this.name, { permits: PERMITS + 1 })
        .acquire(1, { timeoutMs: WAIT_MS });
      await permit.release();
      return {};
    });
  }
}
