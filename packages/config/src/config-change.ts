import type { ValidationError } from '@coord/client';
import type { ConfigValue } from './config-value.js';

/** One change of one key. */
export interface ConfigChange<T = unknown> {
  readonly type: 'create' | 'update' | 'delete';
  readonly key: string;
  /** The new value; absent after a delete, and with `error`. */
  readonly value?: T;
  /** Why the new value is unusable: it cannot be read, or does not fit the schema. The watch goes on. */
  readonly error?: ValidationError;
  /** What was there before; absent after a create, and when it was unusable. */
  readonly previous?: ConfigValue<T>;
  /** The key's version from this change on; for a change by others the last one made through Coord. */
  readonly version: number;
  readonly revision: bigint;
  /** True: the change was made by others. */
  readonly external: boolean;
  /** The release that the change is part of; all of a release comes in a row. */
  readonly releaseId?: string;
  /**
   * True for the last change of a revision: what one transaction changed comes in a row, perhaps with what
   * was written at the same moment.
   */
  readonly last: boolean;
  /** When the change was made; for a change by others, when it was seen. */
  readonly timestamp: Date;
}

/**
 * A running watch: each change once and in order, over any number of lost connections. After a
 * connection was away so long that etcd has dropped the history, what is different is delivered, and
 * what came and went in between is not. Of more than 1,024 changes that a consumer has not taken, the newest come as one
 * change a key. A version that both etcd has compacted and the history (`maxVersionHistory`) has dropped before its record
 * could be read is left out, never the last; of what one transaction changed, all that was overtaken with it. `break` or
 * `close()` ends it.
 */
export interface ConfigWatch<T = unknown> extends AsyncIterable<ConfigChange<T>>, AsyncDisposable {
  /** Resolves when changes from now on will be delivered. Never an unhandled rejection. */
  readonly ready: Promise<void>;
  /** True while the watch follows etcd; false before it does, and while etcd is away. */
  readonly live: boolean;
  /** Ends the watch and its loop. Safe to call again. */
  close(): Promise<void>;
}
