import { type Compare, type KeyValue, NotFoundError, type Op, type WaitOptions } from '@coord/client';
import {
  assertValid,
  checkWaitFields,
  checkWaitOptions,
  type NamesOf,
  readOptions,
  show,
  WAIT_NAMES,
  Wait,
} from '@coord/client/internal';
import { describeHolder, type LockHolder } from './holder.js';
import {
  type ForceReleaseOptions,
  type ListedLock,
  LOCK_KINDS,
  type LockInspection,
  type LockKind,
  type LockQueue,
} from './lock-inspection.js';
import { checkQueueName, queuePrefix, readWriteFolders, semaphoreFolders } from './lock-key.js';
import { listLocks } from './lock-list.js';
import type { LockSupport } from './lock-support.js';
import type { ResolvedLockConfig } from './options.js';
import { mutexQueue, permitQueue, readWriteQueue } from './queue-view.js';
import { permitsOf } from './semaphore-state.js';
import { type Sending, trackedTxn } from './tracked-txn.js';

/** What etcd has of the locks of a name. */
interface LockKeys {
  readonly mutex: readonly KeyValue[];
  readonly queue: readonly KeyValue[];
  readonly writers: readonly KeyValue[];
  readonly requests: readonly KeyValue[];
  readonly limit: KeyValue | undefined;
}

/** One who can be ousted, and the keys that stand for him. */
interface Found {
  readonly kind: LockKind;
  readonly holder: LockHolder;
  readonly keys: readonly KeyValue[];
}

/** For operators: who holds the locks, who waits, and how to take one away. */
export class LockAdmin {
  readonly #support: LockSupport;
  readonly #config: ResolvedLockConfig;

  constructor(support: LockSupport, config: ResolvedLockConfig) {
    this.#support = support;
    this.#config = config;
  }

  /** @see DistributedLock.inspect */
  async inspect(key: string, options?: WaitOptions): Promise<LockInspection> {
    assertValid(checkQueueName(checkWaitOptions([], options), 'key', key, this.#config));
    const keys = await this.#read(key, options);
    const { holders, waiters } = mutexQueue(keys.mutex);
    const [holder] = holders;
    const readWrite = readWriteQueue(keys.queue, keys.writers);
    const permits = permitsOf(keys.limit);
    return {
      ...(holder && { holder }),
      waiters,
      ...(!isEmpty(readWrite) && { readWrite }),
      ...((keys.limit !== undefined || keys.requests.length > 0) && {
        semaphore: { permits, ...permitQueue(keys.requests, permits) },
      }),
    };
  }

  /** @see DistributedLock.list */
  async list(prefix: string = '', options?: WaitOptions): Promise<ListedLock[]> {
    const issues = checkWaitOptions([], options);
    if (typeof prefix !== 'string' || !prefix.isWellFormed()) {
      issues.push({ path: 'prefix', message: `must be well-formed text, got ${show(prefix)}` });
    }
    assertValid(issues);
    return await listLocks(this.#support.client.kv, this.#config, prefix, options);
  }

  /** @see DistributedLock.forceRelease */
  async forceRelease(key: string, fencingToken: bigint, options?: ForceReleaseOptions): Promise<void> {
    const { kind, ...wait } = this.#checked(key, fencingToken, options);
    const all = found(await this.#read(key, wait)).filter(
      ({ holder }) => holder.fencingToken === fencingToken,
    );
    const matching = all.filter((each) => kind === undefined || each.kind === kind);
    const [ousted, another] = matching;
    if (ousted !== undefined && another !== undefined) {
      const kinds = matching.map((each) => each.kind).join(' and ');
      assertValid([{ path: 'kind', message: `must be given: ${fencingToken} is a token of ${kinds}` }]);
    }
    if (ousted === undefined || !(await this.#remove(key, ousted.keys, wait))) {
      throw new NotFoundError(
        `lock "${key}": nobody holds it or waits for it with token ${fencingToken}; see inspect()`,
        { key },
      );
    }
    this.#support.logger.warn('lock released by force', {
      key,
      kind: ousted.kind,
      fencingToken: fencingToken.toString(),
      holder: describeHolder(ousted.holder),
    });
  }

  /** @returns false when they are not there any more */
  async #remove(name: string, keys: readonly KeyValue[], options: WaitOptions): Promise<boolean> {
    const { client, requestTimeoutMs } = this.#support;
    using wait = new Wait({ timeoutMs: requestTimeoutMs, ...options }, `forced release of lock "${name}"`);
    const compare = keys.map(
      ({ key, createRevision }): Compare => ({ key, target: 'create', is: '=', to: createRevision }),
    );
    const success = keys.map(({ key }): Op => ({ delete: key }));
    const sending: Sending = { outcomeLost: false };
    const { signal } = wait;
    try {
      // Guarded as it is, to repeat it after a lost answer can delete nothing newer.
      const request = { compare, success };
      const { succeeded } = await trackedTxn(client.kv, request, [sending], requestTimeoutMs, { signal });
      // Otherwise it was most likely us, the first time; and gone is what it was to be.
      return succeeded || sending.outcomeLost;
    } catch (error) {
      // Whatever became of the last attempt: an earlier one may have been applied.
      if (sending.outcomeLost && error instanceof Error) Object.assign(error, { outcome: 'unknown' });
      throw wait.errorFor(error);
    }
  }

  /** All of it at one revision. */
  async #read(name: string, wait: WaitOptions | undefined): Promise<LockKeys> {
    const { keyPrefix } = this.#config;
    const { q, w } = readWriteFolders(keyPrefix, name);
    const semaphore = semaphoreFolders(keyPrefix, name);
    const prefixes = [queuePrefix(this.#config, name), q, w, semaphore.q];
    const success = [...prefixes.map((prefix): Op => ({ get: { prefix } })), { get: semaphore.limitKey }];
    const { responses } = await this.#support.client.kv.txn({ success }, wait);
    const [mutex = [], queue = [], writers = [], requests = [], limit = []] = responses.map((response) =>
      response.type === 'get' ? response.kvs : [],
    );
    return { mutex, queue, writers, requests, limit: limit[0] };
  }

  /** @throws {ValidationError} */
  #checked(key: unknown, fencingToken: unknown, given: ForceReleaseOptions | undefined): ForceReleaseOptions {
    const issues = checkQueueName([], 'key', key, this.#config);
    const options = readOptions(issues, given, FORCE_NAMES);
    checkWaitFields(issues, options);
    if (typeof fencingToken !== 'bigint' || fencingToken <= 0n) {
      issues.push({ path: 'fencingToken', message: `must be a bigint from 1n, got ${show(fencingToken)}` });
    }
    if (options.kind !== undefined && !LOCK_KINDS.includes(options.kind)) {
      const message = `must be one of ${LOCK_KINDS.join(', ')}, got ${show(options.kind)}`;
      issues.push({ path: 'kind', message });
    }
    assertValid(issues);
    return options;
  }
}

const FORCE_NAMES = { ...WAIT_NAMES, kind: true } satisfies NamesOf<ForceReleaseOptions>;

function found({ mutex, queue, writers, requests, limit }: LockKeys): Found[] {
  const keyed = (kind: LockKind, { holders, waiters }: LockQueue, keys: readonly KeyValue[]): Found[] =>
    [...holders, ...waiters].map((holder) => {
      const id = holder.etcdKey.slice(holder.etcdKey.lastIndexOf('/'));
      const own = kind === 'read-write' ? keys.filter(({ key }) => key.endsWith(id)) : keys;
      return { kind, holder, keys: own.filter(({ key }) => kind === 'read-write' || key === holder.etcdKey) };
    });
  return [
    ...keyed('mutex', mutexQueue(mutex), mutex),
    ...keyed('read-write', readWriteQueue(queue, writers), [...queue, ...writers]),
    ...keyed('semaphore', permitQueue(requests, permitsOf(limit)), requests),
  ];
}

function isEmpty({ holders, waiters }: LockQueue): boolean {
  return holders.length + waiters.length === 0;
}
