import type { SessionRef } from '@coord/client/internal';
import type { Left } from './background.js';
import type { Contender } from './contender.js';
import { handOver } from './hand-over.js';
import type { Heir } from './heir.js';
import type { Grant } from './hold.js';
import { holderOf } from './holder.js';
import type { Turn } from './local-queue.js';
import type { LockSupport } from './lock-support.js';

/** A mutex that was won in the turn of its client, which passes on to the next one when it is left. */
export class MutexGrant implements Grant {
  readonly hold: Contender;
  readonly refs: readonly SessionRef[];
  readonly #support: LockSupport;
  readonly #turn: Turn<Heir>;

  /** @param description the value of its key */
  constructor(support: LockSupport, { hold, refs }: Grant<Contender>, turn: Turn<Heir>, description: string) {
    this.hold = hold;
    this.refs = refs;
    this.#support = support;
    this.#turn = turn;
    turn.holder = () =>
      holderOf({ key: hold.etcdKeys[0], createRevision: hold.token, value: Buffer.from(description) });
  }

  onLeft(): void {
    this.#turn.leave();
  }

  handOver(isMoot: () => boolean): Promise<Left> | undefined {
    const left = handOver(this.#support, this.hold, this.#turn.next, isMoot);
    if (left !== undefined) this.#turn.leave();
    return left;
  }
}
