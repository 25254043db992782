import {
  CompactedError,
  type CoordClient,
  CoordError,
  type KeyValue,
  type Op,
  type OpResult,
} from '@coord/client';
import { type CoordLogger, internalsOf, type Observer } from '@coord/client/internal';
import { createKeyLayout, type KeyLayout, MAX_VERSION } from './key-layout.js';
import { bareState, joinedState, type KeyState, keyState } from './key-state.js';
import type { Keyring } from './keyring.js';
import { KnownStates } from './known-states.js';
import { decodeHistoryEntry } from './meta.js';
import type { ResolvedConfigCenterConfig } from './options.js';

/** What the operations of one config centre share. */
export interface ConfigStore {
  readonly client: CoordClient;
  readonly layout: KeyLayout;
  readonly options: ResolvedConfigCenterConfig;
  readonly logger: CoordLogger;
  readonly observer: Observer;
  readonly requestTimeoutMs: number;
  readonly keyring: Keyring;
  readonly known: KnownStates;
}

export function createConfigStore(client: CoordClient, options: ResolvedConfigCenterConfig): ConfigStore {
  const { logger, telemetry, options: clientOptions } = internalsOf(client);
  const layout = createKeyLayout(options.keyPrefix);
  const { requestTimeoutMs } = clientOptions;
  return {
    client,
    layout,
    options,
    logger,
    observer: telemetry.operations,
    requestTimeoutMs,
    keyring: options.keyring,
    known: new KnownStates(),
  };
}

/** Raw value and record at one moment, linearizable. */
export async function readState(
  store: ConfigStore,
  key: string,
  signal: AbortSignal | undefined,
): Promise<KeyState> {
  const { client, layout, options } = store;
  if (!options.enableVersioning) {
    return bareState(await client.kv.get(layout.raw(key), { signal }), false);
  }
  const { responses } = await client.kv.txn(
    { success: [{ get: layout.raw(key) }, { get: layout.meta(key) }] },
    { signal, idempotent: true },
  );
  const [raw, meta] = responses.map(firstKey);
  return keyState(raw, meta);
}

/** What tells whether and how a key can be written. */
export function writeReads({ layout, options }: ConfigStore, key: string): readonly Op[] {
  return [
    { get: layout.raw(key) },
    ...(options.enableVersioning ? [{ get: layout.meta(key) }] : []),
    ...(options.enableValidation ? [{ get: layout.schema(key) }] : []),
  ];
}

/** @param responses the answers to `writeReads` */
export function writeState({ options }: ConfigStore, responses: readonly OpResult[]): KeyState {
  const found = responses.map(firstKey);
  const raw = found[0];
  const state = options.enableVersioning ? keyState(raw, found[1]) : bareState(raw, false);
  if (!options.enableValidation) return state;
  const schema = found[options.enableVersioning ? 2 : 1];
  return { ...state, schema: { text: schema?.text(), revision: schema?.modRevision ?? 0n } };
}

/** The key that a `get` of a transaction found. */
export function firstKey(response: OpResult): KeyValue | undefined {
  return response.type === 'get' ? response.kvs[0] : undefined;
}

/** Up to so many records are fetched one by one; beyond that, all of the range in pages. */
const SINGLE_READS = 16;

/**
 * The records of these keys as they were at a revision.
 *
 * When etcd no longer has that revision the newest ones are taken; see {@link stateOf}.
 */
export async function readMetas(
  store: ConfigStore,
  keys: readonly string[],
  below: string,
  revision: bigint,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, KeyValue>> {
  if (!store.options.enableVersioning || keys.length === 0) return new Map();
  if (keys.length > SINGLE_READS) return asOf(readBelow(store, below), revision, signal);
  const newest = await readEach(store, keys)(undefined, signal);
  // Reads of the newest share a request with others, those of a revision do not. One that is no newer was there then.
  const isFromThen = (key: string) => (newest.get(key)?.modRevision ?? revision + 1n) <= revision;
  const doubtful = keys.filter((key) => !isFromThen(key));
  if (doubtful.length === 0) return newest;
  const then = await asOf(readEach(store, doubtful), revision, signal);
  const sure = [...newest].filter(([key]) => isFromThen(key));
  return new Map([...sure, ...then]);
}

async function asOf(
  read: ReadMetas,
  revision: bigint,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, KeyValue>> {
  try {
    return await read(revision, signal);
  } catch (error) {
    if (!isRevisionGone(error)) throw error;
    return read(undefined, signal);
  }
}

/** Compacted; or not there yet, where the cluster has been restored from a backup since. */
function isRevisionGone(error: unknown): boolean {
  return error instanceof CompactedError || (CoordError.is(error) && error.code === 'COORD_SERVER');
}

type ReadMetas = (
  revision: bigint | undefined,
  signal: AbortSignal,
) => Promise<ReadonlyMap<string, KeyValue>>;

function readEach({ client, layout }: ConfigStore, keys: readonly string[]): ReadMetas {
  return async (revision, signal) => {
    const found = new Map<string, KeyValue>();
    const read = async (key: string) => {
      const meta = await client.kv.get(layout.meta(key), { revision, signal });
      if (meta !== undefined) found.set(key, meta);
    };
    await Promise.all(keys.map(read));
    return found;
  };
}

function readBelow({ client, layout }: ConfigStore, below: string): ReadMetas {
  return async (revision, signal) => {
    const found = new Map<string, KeyValue>();
    for await (const meta of client.kv.list(layout.metaBelow(below), { revision, signal })) {
      found.set(layout.keyOfMeta(meta.key), meta);
    }
    return found;
  };
}

/**
 * Joins a key's value as of `asOf` with its record. A record newer than that belongs to a later write,
 * of which we shall hear; the value's own record is then taken from the history, by its revision.
 *
 * Undefined when nobody knows any more: etcd has compacted that revision, and the history has dropped that version.
 */
export async function stateOf(
  store: ConfigStore,
  key: string,
  raw: KeyValue | undefined,
  meta: KeyValue | undefined,
  { asOf, changedAt, signal }: { asOf: bigint; changedAt: bigint; signal: AbortSignal },
): Promise<KeyState | undefined> {
  if (!store.options.enableVersioning) return bareState(raw, false);
  if (meta === undefined || meta.modRevision <= asOf) return keyState(raw, meta);
  const { client, layout } = store;
  const history = layout.historyRange(key, 1, MAX_VERSION);
  // Versions go oldest first, so as long as one from then is there, all since then are. One that was adopted comes
  // before the write that adopted it.
  const { responses } = await client.kv.txn(
    {
      success: [
        { get: history, options: { maxCreateRevision: changedAt, limit: 1, sort: NEWEST } },
        { get: layout.history(key, 1), options: { keysOnly: true } },
      ],
    },
    { signal, idempotent: true },
  );
  const [last, first] = responses.map(firstKey);
  const entry = last && decodeHistoryEntry(last.value);
  if (entry === undefined && first === undefined) return undefined;
  return joinedState(raw, entry?.meta, last?.createRevision ?? 0n);
}

const NEWEST = { by: 'key', order: 'descend' } as const;
