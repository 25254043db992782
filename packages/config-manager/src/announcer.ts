import { isDeepStrictEqual } from 'node:util';
import { backoffDelayMs, delay, internalsOf, type SessionRef } from '@coord/client/internal';
import type { ConfigCenterInternals } from '@coord/config/internal';
import { type AckRecord, ackPrefix } from './ack-record.js';
import { Pulse } from './pulse.js';

/** An instance that is gone without a word is no longer counted after this. */
const TTL_MS = 15_000;
const AGAIN = { initialDelayMs: 100, maxDelayMs: 5_000, multiplier: 2 };
/** How long the end waits for a write under way, and then for the removal. */
const LAST_WRITE_MS = 500;
const REMOVAL_MS = 1_000;

/**
 * Tells in etcd what this instance has in use, on a lease, for as long as it runs: the newest, after every
 * outage and loss of the lease again. Failures are reported; they never hold up the manager.
 */
export class Announcer {
  readonly #center: ConfigCenterInternals;
  readonly #key: string;
  readonly #onError: (error: unknown) => void;
  readonly #stop = new AbortController();
  readonly #breakOff = new AbortController();
  readonly #wake = new Pulse();
  readonly #done: Promise<void>;
  #ack: AckRecord | undefined;
  #written: AckRecord | undefined;
  #lease: SessionRef | undefined;
  /** Of our record in etcd; undefined = not known. */
  #revision: bigint | undefined;

  constructor(
    center: ConfigCenterInternals,
    { key, instance }: { readonly key: string; readonly instance: string },
    onError: (error: unknown) => void,
  ) {
    this.#center = center;
    this.#key = ackPrefix(center.recordRoot, key) + instance;
    this.#onError = onError;
    this.#done = this.#work();
  }

  tell(ack: AckRecord): void {
    if (this.#ack !== undefined && isDeepStrictEqual({ ...this.#ack, at: 0 }, { ...ack, at: 0 })) return;
    this.#ack = ack;
    this.#wake.fire();
  }

  /** Takes the record away, as far as etcd answers; else it goes with the lease. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake.fire();
    // Broken off, a write might arrive after the removal.
    const patience = setTimeout(() => this.#breakOff.abort(), LAST_WRITE_MS);
    await this.#done;
    clearTimeout(patience);
    if (this.#lease === undefined) return;
    const { session, release } = this.#lease;
    // Also after a write without an answer: it may have arrived. The session is shared, and may go on for long.
    if (session.state === 'alive') await this.#remove(session.leaseId).catch(() => undefined); // else its lease takes it
    release();
  }

  async #work(): Promise<void> {
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted; ) {
      const woken = this.#wake.next();
      if (this.#ack === undefined || this.#ack === this.#written) {
        await woken;
        continue;
      }
      try {
        await this.#write(this.#ack);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (failures === 0) this.#onError(error);
        await delay(backoffDelayMs(++failures, AGAIN), signal).catch(() => undefined);
      }
    }
  }

  /**
   * Each write is bound to the one before: one that was thought lost, and arrives late, must not take the
   * place of a newer one.
   */
  async #write(ack: AckRecord): Promise<void> {
    const { signal } = this.#breakOff;
    const { kv } = this.#center.client;
    const session = await this.#session();
    const key = this.#key;
    const before = this.#revision ?? (await kv.get(key, { signal }))?.modRevision ?? 0n;
    this.#stop.signal.throwIfAborted();
    this.#revision = undefined;
    const { succeeded, revision } = await kv.txn(
      {
        compare: [{ key, target: 'mod', is: '=', to: before }],
        success: [{ put: { key, value: JSON.stringify(ack), session } }],
      },
      { signal },
    );
    if (!succeeded) return; // written by another, or by ourselves after all: the next round reads it
    this.#revision = revision;
    this.#written = ack;
  }

  async #session(): Promise<SessionRef['session']> {
    if (this.#lease?.session.state === 'alive') return this.#lease.session;
    this.#lease?.release();
    const { signal } = this.#stop;
    const { session, release } = await internalsOf(this.#center.client).borrowSession('config', TTL_MS, {
      signal,
    });
    const onLoss = () => {
      if (this.#lease?.session !== session) return;
      this.#written = undefined; // it is gone with the lease
      this.#wake.fire();
    };
    session.signal.addEventListener('abort', onLoss, { once: true });
    this.#lease = {
      session,
      release: () => {
        session.signal.removeEventListener('abort', onLoss); // others may keep the session for long
        release();
      },
    };
    return session;
  }

  async #remove(leaseId: bigint): Promise<void> {
    const key = this.#key;
    await this.#center.client.kv.txn(
      { compare: [{ key, target: 'lease', is: '=', to: leaseId }], success: [{ delete: key }] },
      { timeoutMs: REMOVAL_MS, idempotent: true },
    );
  }
}
