import type { WaitOptions } from '@coord/client';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ConfigFormat } from './content.js';
import type { Precondition } from './precondition.js';

/** One key of a release: a new value, or its deletion. With `version` or `revision` it is a compare-and-set. */
export type PublishChange = PublishPut | PublishDelete;

export interface PublishPut extends Precondition {
  readonly key: string;
  readonly value: unknown;
  readonly delete?: false | undefined;
  /** Checks the value before it is written. */
  readonly schema?: StandardSchemaV1 | undefined;
  /** As in `set`. @default 'json' */
  readonly format?: ConfigFormat | undefined;
  /** Store it encrypted. Absent = as the present value. */
  readonly encrypt?: boolean | undefined;
  /** Kept with the value and returned with it. Absent = kept as it is. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

export interface PublishDelete extends Precondition {
  readonly key: string;
  readonly delete: true;
}

export interface PublishOptions extends WaitOptions {
  /** Who publishes; recorded with the release and with each version. */
  readonly author?: string | undefined;
  /** Why; recorded with the release and with each version. */
  readonly comment?: string | undefined;
  /** Write a new version of every key, also where value and metadata are what is there already. @default false */
  readonly force?: boolean | undefined;
}

export interface RevertOptions extends WaitOptions {
  readonly author?: string | undefined;
  readonly comment?: string | undefined;
  /** Revert also the keys that have been changed since; their present values are in the history. @default false */
  readonly force?: boolean | undefined;
  /** Checks the values that come back, by key: what was valid then need not be valid today. */
  readonly schemas?: Readonly<Record<string, StandardSchemaV1>> | undefined;
}

export interface ListReleasesOptions extends WaitOptions {
  /** At most so many, at most 1,000. @default 100 */
  readonly limit?: number | undefined;
}

/** What a release did to one key. */
export interface ReleaseChange {
  readonly key: string;
  readonly operation: 'put' | 'delete' | 'rollback';
  /** The version that was there before; 0 = the key was absent. */
  readonly from: number;
  /** The version that the release made. */
  readonly to: number;
}

/** Many keys that were changed in one step. */
export interface ConfigRelease {
  readonly id: string;
  /** The etcd revision of the step. */
  readonly revision: bigint;
  readonly time: Date;
  readonly author: string | undefined;
  readonly comment: string | undefined;
  /** The release that this one takes back. */
  readonly reverts: string | undefined;
  /** The keys that were changed. Those that had the wanted value already are not among them. */
  readonly changes: readonly ReleaseChange[];
  /** For `JSON.stringify`: the revision as a decimal string. */
  toJSON(): Record<string, unknown>;
}
