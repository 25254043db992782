import type { CallOptions, Compare, KeyValue, KV, Op, OpResult } from '@coord/client';
import type { EntryKeys } from './lock-key.js';
import { newEntryId, semaphoreFolders } from './lock-key.js';

/** One who holds permits or waits for some. */
export interface PermitRequest {
  readonly etcdKey: string;
  readonly createRevision: bigint;
  readonly weight: number;
}

/** What is in etcd of a semaphore, at one revision. */
export interface SemaphoreState {
  readonly revision: bigint;
  /** What the limit key says; undefined when it is not there or is no number. */
  readonly permits: number | undefined;
  readonly limit: KeyValue | undefined;
  /** The oldest first. */
  readonly requests: readonly PermitRequest[];
  readonly oldest: KeyValue | undefined;
}

export interface PermitStanding {
  /** False once its key is gone: the place is lost. */
  readonly present: boolean;
  /** How many requests are before it. */
  readonly ahead: number;
  /** All permits asked for up to and including this request. */
  readonly needed: number;
}

/** The request's own keys: its weight is part of the key, so a look at the queue needs no values. */
export function permitKeys(keyPrefix: string, name: string, weight: number, leaseId: bigint): EntryKeys {
  const { id, abortKey } = newEntryId(leaseId);
  return { name, etcdKeys: [`${semaphoreFolders(keyPrefix, name).q}${id}.${weight}`], abortKey };
}

export function semaphoreReads(keyPrefix: string, name: string): Op[] {
  const { q, limitKey } = semaphoreFolders(keyPrefix, name);
  return [
    { get: limitKey },
    { get: { prefix: q }, options: { keysOnly: true } },
    { get: { prefix: q }, options: { limit: 1, sort: { by: 'create', order: 'ascend' } } },
  ];
}

/** @param answers to `semaphoreReads` */
export function semaphoreState(answers: readonly OpResult[], revision: bigint): SemaphoreState {
  const [limit, queue, oldest] = answers.map((answer) => (answer.type === 'get' ? answer.kvs : []));
  return {
    revision,
    limit: limit?.[0],
    permits: permitsOf(limit?.[0]),
    requests: (queue ?? [])
      .map(({ key, createRevision }) => ({ etcdKey: key, createRevision, weight: weightOf(key) }))
      .sort((a, b) => (a.createRevision < b.createRevision ? -1 : 1)),
    oldest: oldest?.[0],
  };
}

/**
 * Where a request stands. Those before it can only leave: once it has its permits, no later look
 * says otherwise.
 */
export function permitStanding(
  { requests }: SemaphoreState,
  own: Pick<PermitRequest, 'etcdKey' | 'createRevision'>,
): PermitStanding {
  let [needed, ahead] = [0, 0];
  for (const { etcdKey, createRevision, weight } of requests) {
    needed += weight;
    if (etcdKey === own.etcdKey && createRevision === own.createRevision) {
      return { present: true, ahead, needed };
    }
    ahead += 1;
  }
  return { present: false, ahead, needed };
}

export function weightOf(etcdKey: string): number {
  const weight = Number(/\.(\d{1,10})$/.exec(etcdKey)?.[1]);
  // Not a key of ours: it counts as one, since whoever wrote it wanted something.
  return Number.isSafeInteger(weight) && weight > 0 ? weight : 1;
}

export function permitsOf(limit: KeyValue | undefined): number | undefined {
  const text = limit?.text() ?? '';
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;
}

/** Says how many permits there are. A late repetition never undoes what somebody has set since. */
export async function writePermits(
  kv: KV,
  limitKey: string,
  permits: number,
  options: CallOptions,
): Promise<void> {
  for (;;) {
    const present = await kv.get(limitKey, options);
    if (present?.text() === String(permits)) return;
    const unchanged: Compare = { key: limitKey, target: 'mod', is: '=', to: present?.modRevision ?? 0n };
    const put = { key: limitKey, value: String(permits) };
    const request = { compare: [unchanged], success: [{ put }] };
    const { succeeded } = await kv.txn(request, { ...options, idempotent: true });
    if (succeeded) return;
  }
}
