import { randomBytes } from 'node:crypto';
import { type Compare, type Op, ValidationError } from '@coord/client';
import type { Change } from './change.js';
import type { ConfigStore } from './config-store.js';
import type { Content } from './content.js';
import { checkByJsonSchema } from './json-schema.js';
import { type KeyState, lastVersion, type RawValue } from './key-state.js';
import { encodeHistoryEntry, encodeMeta, type Meta } from './meta.js';
import { bytesOf } from './request-limits.js';
import { leftByOthers } from './write-decisions.js';

/** The part of a transaction that changes one key: its value, its record and its history. */
export interface KeyWrite {
  /** The record that is written. */
  readonly meta: Meta;
  /** The version before this one; made by this write too when it adopts what others left. 0 = none. */
  readonly from: number;
  readonly success: readonly Op[];
  /** Drops the versions that are too many. May be left to a later write. */
  readonly prune: Op | undefined;
}

export interface KeyWriteOptions {
  /** The release that this write is part of. */
  readonly release?: string | undefined;
  /** What the request may still hold: a value by others goes into the history only if there is room. */
  readonly roomBytes: number;
}

export function keyWrite(
  store: ConfigStore,
  key: string,
  state: KeyState,
  change: Change,
  { release, roomBytes }: KeyWriteOptions,
): KeyWrite {
  const { layout, options } = store;
  checkStoredSchema(store, key, state, change.content);
  // An adoption is itself the version of what others left.
  const others = state.external && change.operation !== 'adopt';
  const from = lastVersion(state) + (others ? 1 : 0);
  const version = from + 1;
  const now = new Date();
  const meta: Meta = {
    version,
    operation: change.operation,
    contentType: change.content?.type,
    createTime: state.raw === undefined ? now : (state.meta?.createTime ?? now),
    updateTime: now,
    author: change.author,
    comment: change.comment,
    metadata: change.metadata,
    from: change.from,
    release,
    nonce: randomBytes(12).toString('base64url'),
    omitted: false,
  };
  const rawKey = layout.raw(key);
  const success: Op[] = [
    change.content ? { put: { key: rawKey, value: change.content.bytes } } : { delete: rawKey },
    { put: { key: layout.meta(key), value: encodeMeta(meta) } },
    { put: { key: layout.history(key, version), value: encodeHistoryEntry(meta, change.content?.bytes) } },
  ];
  const oldestKept = version - options.maxVersionHistory + 1;
  // etcd refuses a transaction that deletes a key it puts: what would be pruned at once is not written.
  if (others && from >= oldestKept) {
    success.push(adoption(store, key, state, now, roomBytes - bytesOf(success)));
  }
  return {
    meta,
    from,
    success,
    prune: oldestKept > 1 ? { delete: layout.historyRange(key, 0, oldestKept) } : undefined,
  };
}

/** That neither the value nor the record has changed since they were read. */
export function unchangedSince(store: ConfigStore, key: string, state: KeyState): readonly Compare[] {
  const { layout } = store;
  return [
    modIs(layout.raw(key), state.raw),
    { key: layout.meta(key), target: 'mod', is: '=', to: state.metaRevision },
    ...schemaUnchanged(store, key, state),
  ];
}

/** That the schema is still the one that the value has been checked against. */
export function schemaUnchanged(
  { layout }: ConfigStore,
  key: string,
  { schema }: KeyState,
): readonly Compare[] {
  if (schema === undefined) return [];
  return [{ key: layout.schema(key), target: 'mod', is: '=', to: schema.revision }];
}

/** @throws {ValidationError} when a value does not fit the JSON Schema stored beside its key */
export function checkStoredSchema(
  { keyring }: ConfigStore,
  key: string,
  { schema }: KeyState,
  content: Content | undefined,
): void {
  if (content === undefined || schema?.text === undefined) return;
  const issues = checkByJsonSchema(schema.text, keyring.decode(key, content));
  if (issues.length === 0) return;
  const where = `(config "${key}", by the schema stored beside it)`;
  throw new ValidationError(issues.map(({ path, message }) => ({ path, message: `${message} ${where}` })));
}

export function modIs(key: string, kv: RawValue | undefined): Compare {
  return { key, target: 'mod', is: '=', to: kv?.modRevision ?? 0n };
}

/** Puts into the history what others left (a value, or its removal): the version before ours. */
function adoption(store: ConfigStore, key: string, state: KeyState, now: Date, roomBytes: number): Op {
  const left = leftByOthers(store.keyring, key, state);
  const size = left?.bytes.length ?? 0;
  const omitted = size > roomBytes;
  if (omitted) store.logger.warn('config value by others is too large for the history', { key, size });
  const meta: Meta = {
    version: lastVersion(state) + 1,
    operation: 'adopt',
    contentType: left?.type,
    createTime: state.meta?.createTime ?? now,
    updateTime: now,
    author: undefined,
    comment: undefined,
    metadata: {},
    from: undefined,
    release: undefined,
    nonce: '',
    omitted,
  };
  const value = encodeHistoryEntry(meta, omitted ? undefined : left?.bytes);
  return { put: { key: store.layout.history(key, meta.version), value } };
}
