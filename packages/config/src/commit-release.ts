import { randomUUID } from 'node:crypto';
import { type Op, type OpResult, type TxnRequest, ValidationError } from '@coord/client';
import type { Change, Decide } from './change.js';
import { assertUndamaged, untilItCommits } from './commit.js';
import { type ConfigStore, firstKey, writeReads, writeState } from './config-store.js';
import type { KeyState } from './key-state.js';
import { keyWrite, unchangedSince } from './key-write.js';
import { decodeRelease, encodeRelease, type ReleaseRecord, StoredRelease } from './release-record.js';
import type { ConfigRelease, ReleaseChange } from './release-types.js';
import { bytesOf, MAX_OPS, MAX_RELEASES, MAX_REQUEST_BYTES } from './request-limits.js';
import { sendOnce } from './send-once.js';

export interface ReleasePlan extends Pick<ReleaseRecord, 'author' | 'comment' | 'reverts'> {
  /** What is to become of each key. */
  readonly decisions: ReadonlyMap<string, Decide>;
}

/**
 * Changes many keys in a single transaction, together with a record of the release. Undefined: nothing was to do.
 *
 * It is all or nothing, and it commits only if none of the keys has changed since it was decided on: neither
 * those that are written nor those that have the wanted value already.
 *
 * @throws what a decision throws, and as `commit`
 * @throws {ValidationError} when it is more than etcd takes in one step
 */
export async function commitRelease(
  store: ConfigStore,
  plan: ReleasePlan,
  signal: AbortSignal,
): Promise<ConfigRelease | undefined> {
  const id = randomUUID();
  const { layout, client } = store;
  const keys = [...plan.decisions.keys()];
  const reads = keys.flatMap((key) => writeReads(store, key));
  const { responses } = await client.kv.txn(
    { success: [...reads, { get: layout.releases, options: OLDEST }] },
    { signal, idempotent: true },
  );
  let states = statesOf(store, keys, responses);
  const tooMany = releasesToDrop(responses.at(-1));
  const done = await untilItCommits(store, keys.join('", "'), signal, async () => {
    const step = makeStep(store, plan, id, states);
    if (step === undefined) return NOTHING_TO_DO;
    const { record, compare, success, prune } = step;
    const optional = [...tooMany, ...prune].slice(0, MAX_OPS - success.length);
    const request: TxnRequest = {
      compare,
      success: [...success, ...optional],
      failure: [...reads, { get: layout.release(id) }],
    };
    const { result } = await sendOnce(store, request, { release: id, keys: keys.length }, signal);
    for (const key of keys) store.known.forget(key);
    if (result.succeeded) return new StoredRelease(record, result.revision);
    const written = result.responses.at(-1);
    const found = written && firstKey(written);
    const release = found && decodeRelease(found);
    if (release !== undefined) return release; // applied, though the answer was lost
    states = statesOf(store, keys, result.responses);
    return undefined;
  });
  return done === NOTHING_TO_DO ? undefined : done;
}

const NOTHING_TO_DO = Symbol('nothing to do');

/** Releases that are to go are dropped one or a few at a time, by those that come. */
const OLDEST = { keysOnly: true, limit: 3, sort: { by: 'create', order: 'ascend' } } as const;

function releasesToDrop(oldest: OpResult | undefined): readonly Op[] {
  if (oldest?.type !== 'get') return [];
  const tooMany = Math.max(0, oldest.count + 1 - MAX_RELEASES);
  return oldest.kvs.slice(0, tooMany).map((kv) => ({ delete: kv.rawKey }));
}

function statesOf(
  store: ConfigStore,
  keys: readonly string[],
  responses: readonly OpResult[],
): ReadonlyMap<string, KeyState> {
  const each = (responses.length - 1) / keys.length; // the last one is about releases
  const own = (index: number) => responses.slice(index * each, (index + 1) * each);
  return new Map(keys.map((key, index) => [key, writeState(store, own(index))]));
}

interface Step {
  readonly record: ReleaseRecord;
  readonly compare: NonNullable<TxnRequest['compare']>;
  readonly success: readonly Op[];
  readonly prune: readonly Op[];
}

function makeStep(
  store: ConfigStore,
  { decisions, ...plan }: ReleasePlan,
  id: string,
  states: ReadonlyMap<string, KeyState>,
): Step | undefined {
  const decided: { key: string; state: KeyState; change: Change }[] = [];
  for (const [key, state] of states) {
    assertUndamaged(store, key, state);
    const change = decisions.get(key)?.(state);
    if (change !== undefined) decided.push({ key, state, change });
  }
  if (decided.length === 0) return undefined;
  const success: Op[] = [];
  const prune: Op[] = [];
  const changes: ReleaseChange[] = [];
  let roomBytes = MAX_REQUEST_BYTES - sizeOfValues(decided);
  for (const { key, state, change } of decided) {
    const own = 2 * (change.content?.bytes.length ?? 0);
    const write = keyWrite(store, key, state, change, { release: id, roomBytes: roomBytes + own });
    roomBytes -= bytesOf(write.success) - own;
    success.push(...write.success);
    if (write.prune !== undefined) prune.push(write.prune);
    changes.push({
      key,
      operation: change.operation === 'adopt' ? 'put' : change.operation,
      from: state.raw === undefined ? 0 : write.from,
      to: write.meta.version,
    });
  }
  const record: ReleaseRecord = { id, time: new Date(), ...plan, changes };
  success.push({ put: { key: store.layout.release(id), value: encodeRelease(record) } });
  assertFits(success);
  return {
    record,
    compare: [...states].flatMap(([key, state]) => unchangedSince(store, key, state)),
    success,
    prune,
  };
}

function sizeOfValues(decided: readonly { readonly change: Change }[]): number {
  return decided.reduce((sum, { change }) => sum + 2 * (change.content?.bytes.length ?? 0), 0);
}

function assertFits(success: readonly Op[]): void {
  const bytes = bytesOf(success);
  if (bytes <= MAX_REQUEST_BYTES && success.length <= MAX_OPS) return;
  const message = `are more than etcd takes in one step: ${bytes} of ${MAX_REQUEST_BYTES} bytes with their history, ${success.length} of ${MAX_OPS} operations`;
  throw new ValidationError([{ path: 'changes', message }]);
}
