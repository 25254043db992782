import type { EtcdEvent } from '../etcd-event.js';
import type { Outcome } from '../operation.js';
import { keysOf, metaKey, RELEASES, rawKey } from './config-names.js';
import {
  type Component,
  type ConfigOperation,
  type ConfigShapes,
  DEFAULTS,
  type Shown,
} from './config-operations.js';

/** Logs and histories by hand, for the tests of the checks. */
export const RUN = 'r';
export const KEYS = keysOf(RUN);

export function put(revision: number, key: string, value: string | object): EtcdEvent {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return { revision, type: 'put', key, value: text, createRevision: revision, seenAt: revision };
}

export function gone(revision: number, key: string): EtcdEvent {
  return { revision, type: 'delete', key, value: '', createRevision: 0, seenAt: revision };
}

export function historyKey(key: string, version: number): string {
  return `/coord/config/hist/${key}/@/${String(version).padStart(12, '0')}`;
}

interface Version {
  readonly attempt?: string;
  readonly operation?: string;
  readonly from?: number;
}

/** A version as the library writes it: value, record and place in the history. */
export function version(
  revision: number,
  key: string,
  v: number,
  value: string | object,
  { attempt = '', operation: op = 'put', from }: Version = {},
): EtcdEvent[] {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const record = JSON.stringify({ v, op, msg: attempt, from });
  return [
    op === 'delete' ? gone(revision, rawKey(key)) : put(revision, rawKey(key), text),
    put(revision, metaKey(key), record),
    put(revision, historyKey(key, v), `${record}\n${op === 'delete' ? '' : text}`),
  ];
}

/** A release as the library writes it. */
export function release(
  revision: number,
  v: number,
  attempt: string,
  {
    left = attempt,
    read = '',
    reverts,
  }: { readonly left?: string; readonly read?: string; readonly reverts?: string } = {},
): EtcdEvent[] {
  const values = { [KEYS.left]: { left, read }, [KEYS.right]: { right: left }, [KEYS.secret]: 'sealed' };
  const keys = Object.keys(values).map((key) => ({ key, op: 'put', from: v - 1, to: v }));
  return [
    ...Object.entries(values).flatMap(([key, value]) => version(revision, key, v, value, { attempt })),
    put(revision, `${RELEASES}of-${attempt}`, { id: `of-${attempt}`, msg: attempt, reverts, keys }),
  ];
}

type Done<Name extends keyof ConfigShapes & string> = Extract<ConfigOperation, { name: Name }>;

const DEFAULT = { process: 'p', invokedAt: 0, returnedAt: 0 } as const;

export function attempted<Name extends 'write' | 'rubbish' | 'release' | 'change'>(
  name: Name,
  input: ConfigShapes[Name]['input'],
  outcome: Outcome,
  output?: ConfigShapes[Name]['output'],
) {
  return { ...DEFAULT, name, input, outcome, ...(output && { output }) };
}

export function observed<Name extends keyof ConfigShapes & string>(
  name: Name,
  input: ConfigShapes[Name]['input'],
  output: ConfigShapes[Name]['output'],
) {
  return { ...DEFAULT, name, input, output, outcome: 'ok' as const };
}

export function managing(component: Component, index = 2) {
  return { manager: `${component}-1`, component, index };
}

export function shows(component: Component, value: Shown, index = 2): Done<'expose'> {
  const output = { value: { ...DEFAULTS[component], ...value }, source: 'remote', revision: 0 };
  return observed('expose', managing(component, index), output);
}

export function refuses(component: Component, revision: number): Done<'refuse'> {
  return observed('refuse', managing(component), { revision });
}

export function ends(component: Component, value: Shown, rejected = 0): Done<'over'> {
  return observed('over', managing(component), { value: { ...DEFAULTS[component], ...value }, rejected });
}
