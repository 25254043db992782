import type { KeyValue } from '@coord/client';
import { decodeMeta, type Meta } from './meta.js';

/** A value as it is in etcd; nothing else of its key-value pair matters. */
export type RawValue = Pick<KeyValue, 'value' | 'modRevision'>;

/** A config key as it is in etcd at one revision: the raw value and the record of its last managed write. */
export interface KeyState {
  readonly raw: RawValue | undefined;
  readonly meta: Meta | undefined;
  readonly metaRevision: bigint;
  /**
   * Whether what is there (a value, or nothing) was left by others. Raw value and record are written
   * in one transaction, so a managed value has the record's revision. The revision alone tells: a
   * second outside write with the bytes of the first is another one.
   */
  readonly external: boolean;
  /** There is a record, but not one of ours: reading goes on without it, writing stops. */
  readonly damaged: boolean;
  /** The JSON Schema beside the key. Absent where it is not asked for: values are checked when they are written. */
  readonly schema?: { readonly text: string | undefined; readonly revision: bigint };
}

/** A key of which nothing is known but its value. */
export function bareState(raw: RawValue | undefined, external: boolean): KeyState {
  return { raw, meta: undefined, metaRevision: 0n, external, damaged: false };
}

/** @param metaKv the record as it was when `raw` was */
export function keyState(raw: RawValue | undefined, metaKv: KeyValue | undefined): KeyState {
  const meta = metaKv && decodeMeta(metaKv.text());
  const state = joinedState(raw, meta, metaKv?.modRevision ?? 0n);
  return metaKv !== undefined && meta === undefined ? { ...state, damaged: true } : state;
}

export function joinedState(
  raw: RawValue | undefined,
  meta: Meta | undefined,
  metaRevision: bigint,
): KeyState {
  const external =
    raw === undefined
      ? meta !== undefined && meta.contentType !== undefined
      : meta === undefined || raw.modRevision !== metaRevision;
  return { raw, meta, metaRevision, external, damaged: false };
}

/** The last managed version, also of a deleted key; 0 = never managed. */
export function lastVersion(state: Pick<KeyState, 'meta'>): number {
  return state.meta?.version ?? 0;
}
