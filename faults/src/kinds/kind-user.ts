import { type CoordClient, CoordError } from '@coord/client';
import { type DistributedLock, type Lock, LockExpiredError, LockNotHeldError } from '@coord/lock';
import { Refused } from '../recorder.js';
import type { WorkerContext } from '../run/worker-context.js';
import { type Kind, kindKeys } from './kinds-names.js';
import type { KindShapes, OfHold, OfKind } from './kinds-operations.js';
import { RushedLock } from './rushed-lock.js';

export interface UserScene {
  readonly context: WorkerContext<KindShapes>;
  readonly client: CoordClient;
  readonly locks: DistributedLock;
  /** Unique in the run. */
  readonly by: string;
}

export const WAIT_MS = 7_000;

/** Takes a lock of some kind again and again, and does what holders may do. */
export abstract class KindUser {
  protected readonly scene: UserScene;
  #uses = 0;

  constructor(scene: UserScene) {
    this.scene = scene;
  }

  async run(): Promise<void> {
    while (!this.scene.context.stopped.aborted) await this.round();
  }

  protected abstract round(): Promise<void>;

  protected get name(): string {
    return this.scene.context.assignment.run;
  }

  protected at(point: string, of: OfKind): Promise<void> {
    return this.scene.context.at(point, { scope: of.scope, part: of.by });
  }

  protected of(scope: string, kind: Kind): OfKind {
    return { scope, by: this.scene.by, kind };
  }

  /** Undefined when it did not get one. */
  protected async acquire<L extends Lock>(
    of: OfKind,
    ask: () => Promise<L>,
  ): Promise<{ readonly lock: L; readonly hold: OfHold } | undefined> {
    const granted: L[] = [];
    await this.at('before acquire', of);
    await this.scene.context.recorder.perform('acquire', of, async () => {
      const lock = await ask();
      granted.push(lock);
      return grantOf(lock);
    });
    const [lock] = granted;
    return lock && { lock, hold: this.holdOf(lock, of) };
  }

  protected holdOf(lock: Lock, of: OfKind): OfHold {
    const { scope, by, kind } = of;
    const hold = { scope, by, kind, ...grantOf(lock) };
    lock.signal.addEventListener('abort', () => {
      const { reason }: { reason: unknown } = lock.signal;
      const deleted = reason instanceof LockExpiredError && reason.message.includes('key was deleted');
      this.scene.context.recorder.observe('lost', hold, { deleted });
    });
    return hold;
  }

  /** A planted mistake: it does not wait for those before it. */
  protected async rush(of: OfKind): Promise<void> {
    const rushed = await RushedLock.take(this.scene, of.kind).catch((error: unknown) => {
      if (!CoordError.is(error)) throw error;
    });
    if (rushed === undefined) return;
    await this.use(rushed, { ...of, ...grantOf(rushed) });
    await rushed.release();
  }

  /** Writes while the lock is held. */
  protected async use(lock: Pick<Lock, 'txn'>, hold: OfHold): Promise<void> {
    const { context, by } = this.scene;
    this.#uses += 1;
    const { kind, key, token } = hold;
    const use = { id: `${by}-${this.#uses}`, kind, key, token };
    await this.at('between check and write', hold);
    await context.recorder.perform('use', { ...hold, ...use }, async () => {
      const put = { key: kindKeys(this.name).data, value: JSON.stringify(use) };
      await lock.txn({ success: [{ put }] }).catch((error: unknown) => {
        throw error instanceof LockNotHeldError ? new Refused(error.message) : error;
      });
      return {};
    });
  }

  protected async release(lock: Pick<Lock, 'release'>, hold: OfHold): Promise<void> {
    await this.at('before release', hold);
    await this.scene.context.recorder.perform('release', hold, async () => {
      await lock.release();
      return {};
    });
  }
}

export function grantOf({ etcdKey, fencingToken }: Pick<Lock, 'etcdKey' | 'fencingToken'>): {
  readonly key: string;
  readonly token: number;
} {
  return { key: etcdKey, token: Number(fencingToken) };
}
