import { CompactedError, CoordError } from './errors.js';
import type { Transport } from './transport.js';

/**
 * Finds out, before a watch is created in the past, whether the past is still there.
 *
 * etcd should say so itself, by cancelling the watch. But before 3.4.31 and 3.5.13 it forgets to,
 * and skips to the present without a word, when more than 128 watches of a stream are behind a
 * compaction (https://github.com/etcd-io/etcd/pull/17555). And before 3.4.36 and 3.5.18 a watch
 * that starts at the very revision of the compaction misses a delete there
 * (https://github.com/etcd-io/etcd/issues/19179), so who wants a whole revision must ask for
 * the one before.
 */
export class CompactionCheck {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * The oldest revision that etcd still has, if that is newer than `revision`; otherwise 0n.
   * @param key any key that may be read
   * @throws {PermissionError} if it may not
   * @throws {AuthError} if etcd does not take the user any more
   */
  async newerThan(revision: bigint, key: Buffer): Promise<bigint> {
    if (revision <= 0n || (await this.#has(revision, key))) return 0n;
    let gone = revision;
    let kept = await this.#newest(key);
    while (kept - gone > 1n) {
      const middle = (gone + kept) / 2n;
      if (await this.#has(middle, key)) kept = middle;
      else gone = middle;
    }
    return kept;
  }

  async #has(revision: bigint, key: Buffer): Promise<boolean> {
    try {
      await this.#read(key, revision);
      return true;
    } catch (error) {
      if (error instanceof CompactedError) return false;
      if (error instanceof CoordError && error.message.includes('future revision')) return true;
      throw error;
    }
  }

  async #newest(key: Buffer): Promise<bigint> {
    const { header } = await this.#read(key, 0n);
    return BigInt(header.revision);
  }

  /** Serializable: what counts is what the member has that serves the watch, and no quorum is needed. */
  #read(key: Buffer, revision: bigint) {
    const request = { key, revision, serializable: true, keys_only: true };
    return this.#transport.unary('range', () => request, 'read');
  }
}
