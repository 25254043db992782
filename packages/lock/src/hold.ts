import type { Compare, Session, WaitOptions } from '@coord/client';
import type { SessionRef } from '@coord/client/internal';
import type { Left } from './background.js';

/** What is held, whatever the kind of lock: keys in etcd on one lease, which stand for it only together. */
export interface Hold {
  /** The lock's name. */
  readonly name: string;
  /** Its keys. The first stands for the lock where one must. */
  readonly etcdKeys: readonly [string, ...string[]];
  /** The fencing token. */
  readonly token: bigint;
  /** The compares that hold only while every key of it is there, and its own. */
  isOwn(): readonly [Compare, ...Compare[]];
  /** Asks etcd whether every key of it is there. */
  isPresent(options?: WaitOptions): Promise<boolean>;
  /**
   * Gives it up. Safe to repeat; never touches a successor's key.
   * @returns false when it was certainly gone before
   */
  leave(): Promise<boolean>;
  /**
   * Moves it to another session's lease, keeping place and token. Safe to repeat.
   * @returns false when it is gone
   */
  moveTo(session: Session): Promise<boolean>;
}

/** A hold that was won, and what comes with it. */
export interface Grant<H extends Hold = Hold> {
  readonly hold: H;
  /** The session its keys are attached to; several, while it is not known to which. */
  readonly refs: readonly SessionRef[];
  /**
   * Gives the hold up, together with something else, if there is something.
   * @param isMoot whether no lease is alive any more that could keep it
   * @returns undefined when there is nothing, and nothing was done
   */
  handOver?(isMoot: () => boolean): Promise<Left> | undefined;
  /** Called once the hold has been left, or has gone with its lease. */
  onLeft?(): void;
}
