import { setTimeout as sleep } from 'node:timers/promises';
import type { CoordClient } from '@coord/client';
import { type DistributedLock, type Lock, LockNotHeldError } from '@coord/lock';
import { Refused } from '../recorder.js';
import type { WorkerContext } from '../run/worker-context.js';
import type { Gathering } from './gathering.js';
import { Impatience } from './impatience.js';
import { linger } from './linger.js';
import { clockOf, OwnClock } from './lock-clock.js';
import { type LockSetting, lockDataKey } from './lock-names.js';
import type { Entry, Guard, LockShapes, OfHold, OfLock } from './lock-operations.js';

export interface Contention {
  readonly context: WorkerContext<LockShapes>;
  readonly client: CoordClient;
  readonly locks: DistributedLock;
  readonly scope: string;
  readonly lock: string;
  /** Those of the process who are about to write. */
  readonly writers: Gathering;
  /** Unique in the run. */
  readonly by: string;
  readonly setting: LockSetting;
}

const WAIT_MS = 7_000;
/** Most hold the lock for as short a time as can be; one in so many, for longer. */
const LONG_ONE_IN = 100;
const LONG_MS = 800;
/** Much longer than one may hold a lock that is lost. */
const DEAF_MS = 4_000;
const SITTING_MS = 7_500;

/** Takes a lock again and again, and under it reads and writes one key. */
export class Contender {
  readonly #contention: Contention;
  readonly #of: OfLock;
  #rounds = 0;

  constructor(contention: Contention) {
    this.#contention = contention;
    const { scope, lock, by } = contention;
    this.#of = { scope, lock, by };
  }

  async run(): Promise<void> {
    const { context } = this.#contention;
    while (!context.stopped.aborted) {
      this.#rounds += 1;
      const lock = await this.#acquire();
      if (lock === undefined) continue;
      if (this.#sitsOnIt) {
        await this.#at('sitting on the lock');
        await sleep(SITTING_MS);
        return;
      }
      await this.#hold(lock);
    }
  }

  /** A planted mistake: it never says that it has the lock, and never gives it up. */
  get #sitsOnIt(): boolean {
    const { context } = this.#contention;
    return this.#rounds === 2 && context.assignment.index === 0 && context.isPlanted('sits on it');
  }

  #at(point: string): Promise<void> {
    const { context, scope, by } = this.#contention;
    return context.at(point, { scope, part: by });
  }

  async #acquire(): Promise<Lock | undefined> {
    const { context, locks, lock: name } = this.#contention;
    await this.#at('before acquire');
    await using _impatience = new Impatience(this.#contention, this.#of);
    const granted: Lock[] = [];
    const ask = async () => {
      const lock = await locks.acquire(name, { timeoutMs: WAIT_MS });
      granted.push(lock);
      return { token: Number(lock.fencingToken) };
    };
    if (this.#sitsOnIt) await ask();
    else await context.recorder.perform('acquire', this.#of, ask);
    return granted[0];
  }

  async #hold(lock: Lock): Promise<void> {
    const { context, client, by, lock: name } = this.#contention;
    const { recorder, random } = context;
    const token = Number(lock.fencingToken);
    const hold: OfHold = { ...this.#of, token };
    const clock = clockOf(context, lock, this.#contention.setting);
    const isDeaf = context.isPlanted('deaf');
    if (!isDeaf) lock.signal.addEventListener('abort', () => recorder.observe('lost', hold, {}));
    const before = await client.kv.get(lockDataKey(name)).catch(() => 'unreadable' as const);
    if (before !== 'unreadable') {
      if (random() < 1 / LONG_ONE_IN) await linger(recorder, lock, hold, LONG_MS);
      const read = before === undefined ? '' : idOf(before.text());
      const entry: Entry = { id: `${by}-${this.#rounds}`, read, token };
      await this.#contention.writers.join(by);
      recorder.observe('believe', hold, { holds: clock.holds() });
      const guard = this.#guard;
      await recorder.perform('write', { ...hold, ...entry, guard }, () => this.#write(lock, entry, guard));
    }
    if (isDeaf && !new OwnClock(lock).holds())
      await linger(recorder, lock, hold, DEAF_MS, AbortSignal.any([]));
    await this.#at('before release');
    await recorder.perform('release', hold, async () => {
      await lock.release();
      return {};
    });
  }

  /** By turns. */
  get #guard(): Guard {
    if (this.#contention.context.isPlanted('unguarded')) return 'none';
    return this.#rounds % 2 === 0 ? 'clock' : 'compare';
  }

  /** What a holder does that does not look at the clock again: it just writes. */
  async #write(lock: Lock, entry: Entry, guard: Guard): Promise<object> {
    const { client, lock: name } = this.#contention;
    const success = [{ put: { key: lockDataKey(name), value: JSON.stringify(entry) } }];
    if (guard === 'none') return client.kv.txn({ success }).then(() => ({}));
    const isOwn = { key: lock.etcdKey, target: 'create', is: '=', to: lock.fencingToken } as const;
    const writing = guard === 'clock' ? lock.txn({ success }) : client.kv.txn({ compare: [isOwn], success });
    const { succeeded } = await writing.catch((error: unknown) => {
      throw error instanceof LockNotHeldError ? new Refused(error.message) : error;
    });
    if (!succeeded) throw new Refused('another holds the lock');
    return {};
  }
}

function idOf(value: string): string {
  const { id }: Entry = JSON.parse(value);
  return id;
}
