import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AbortedError,
  AuthError,
  ClosedError,
  ConflictError,
  type CoordClient,
  NotFoundError,
  PermissionError,
  ResourceExhaustedError,
  type Session,
  TimeoutError,
  ValidationError,
  type WaitOptions,
  type Watch,
} from '@coord/client';
import {
  assertValid,
  type Backoff,
  backoffDelayMs,
  type CoordLogger,
  checkWaitOptions,
  delay,
  internalsOf,
  monotonicNow,
  type SessionRef,
  Wait,
} from '@coord/client/internal';
import { removeInstance } from './guarded-removal.js';
import { KeyClaim, LeavingError, type PresentKey, readKey } from './key-claim.js';
import type { Registration, RegistrationState } from './registration.js';
import type { HealthStatus, ServiceInfo } from './service-info.js';
import { checkHealth } from './service-registration.js';

export interface RegistrationContext {
  readonly client: CoordClient;
  readonly key: string;
  readonly ttlMs: number;
  /** Told once, when the registration is over. */
  readonly onEnd: () => void;
}

/** Between attempts to get back into etcd: for ever, and not all clients at once. */
const RETRY: Backoff = { initialDelayMs: 100, maxDelayMs: 5_000, multiplier: 2 };
/** A lost lease usually means that many were lost: the first attempts are spread over this time. */
const RECOVERY_SPREAD_MS = 200;
/** Between two proofs that the lease lives: longer than one etcd member trails another. */
const LEASE_PROOF_INTERVAL_MS = 500;
/** How long a recovery waits for the news about its key from before the outage. */
const CATCH_UP_MS = 5_000;
const CATCH_UP_STEP_MS = 10;
const KIND = 'registry';

export class InstanceRegistration implements Registration {
  readonly #context: RegistrationContext;
  readonly #claim: KeyClaim;
  readonly #logger: CoordLogger;
  readonly #requestTimeoutMs: number;
  /** Aborts everything that keeps the instance registered, as soon as it shall not be any more. */
  readonly #ended = new AbortController();
  readonly #listeners = new Set<(state: RegistrationState) => void>();
  #service: ServiceInfo;
  #state: RegistrationState = 'recovering';
  #ref: SessionRef | undefined;
  /** What the watch of the own key has shown last. */
  #seen = { revision: 0n, present: true };
  #ownKeyWatch: Watch | undefined;
  #seenLeaving = false;
  /** The writes to the key, one after the other. */
  #writing: Promise<unknown> = Promise.resolve();
  #recovery: Promise<void> = Promise.resolve();
  #removal: Promise<void> | undefined;

  constructor(context: RegistrationContext, service: ServiceInfo) {
    const internals = internalsOf(context.client);
    this.#context = context;
    this.#service = service;
    this.#claim = new KeyClaim(context.client.kv, context.key);
    this.#logger = internals.logger;
    this.#requestTimeoutMs = internals.options.requestTimeoutMs;
  }

  get service(): ServiceInfo {
    return this.#service;
  }

  get state(): RegistrationState {
    return this.#state;
  }

  get #isOver(): boolean {
    return this.#ended.signal.aborted;
  }

  subscribe(callback: (state: RegistrationState) => void): () => void {
    this.#listeners.add(callback);
    return () => this.#listeners.delete(callback);
  }

  /** Registers, replacing whoever has the id. After a failure nothing stays behind, once etcd answers. */
  async start(options: WaitOptions): Promise<void> {
    using wait = this.#wait(options, 'register');
    try {
      const signal = AbortSignal.any([wait.signal, this.#ended.signal]);
      const established = this.#establish(signal, { replace: true });
      this.#recovery = established.catch(() => undefined); // whoever needs the instance there waits for it
      await established;
    } catch (error) {
      const deregisteredMeanwhile = this.#isOver;
      if (this.#claim.mayBeThere) this.#removal ??= this.#remove();
      else this.#end('deregistered');
      if (deregisteredMeanwhile) this.#assertGoesOn();
      throw wait.errorFor(error);
    }
    this.#observeOwnKey();
  }

  async updateHealth(status: HealthStatus, options: WaitOptions = {}): Promise<void> {
    const issues = checkHealth([], 'status', status);
    assertValid(checkWaitOptions(issues, options));
    using wait = this.#wait(options, 'update the health of');
    this.#assertGoesOn();
    this.#service = Object.freeze({ ...this.#service, health: status, lastHeartbeat: new Date() });
    const signal = AbortSignal.any([wait.signal, this.#ended.signal]);
    for (let attempt = 1; ; attempt++) {
      try {
        await wait.race(this.#recovery); // a recovery writes the new health, too
        this.#assertGoesOn();
        await wait.race(this.#publish(this.#session(), signal, { replace: false, create: false }));
        return;
      } catch (error) {
        this.#assertGoesOn();
        if (wait.signal.aborted || isRefusal(error)) throw wait.errorFor(error);
        await delay(backoffDelayMs(attempt, RETRY), signal).catch((cause: unknown) => {
          this.#assertGoesOn();
          throw wait.errorFor(cause);
        });
      }
    }
  }

  async deregister(options: WaitOptions = {}): Promise<void> {
    assertValid(checkWaitOptions([], options));
    using wait = this.#wait(options, 'deregister');
    if (this.#state !== 'superseded' && this.#state !== 'deregistered') this.#removal ??= this.#remove();
    if (this.#removal !== undefined) await wait.race(this.#removal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.deregister();
    } catch (error) {
      // The removal goes on in the background; the lease's end is the last resort.
      this.#logger.warn('instance not deregistered in time', { key: this.#context.key, error });
    }
  }

  #wait(options: WaitOptions, verb: string): Wait {
    return new Wait(
      { timeoutMs: this.#requestTimeoutMs, ...defined(options) },
      `${verb} ${this.#context.key}`,
      (timeoutMs) =>
        new TimeoutError(`${verb} ${this.#context.key}: etcd did not confirm it within ${timeoutMs} ms`, {
          timeoutMs,
          outcome: 'unknown',
        }),
    );
  }

  #assertGoesOn(): void {
    const { key } = this.#context;
    if (this.#state === 'superseded') {
      throw new ConflictError(`${key} has been registered by somebody else since`, { key });
    }
    if (this.#isOver) throw new NotFoundError(`${key} has been deregistered; register it again`, { key });
  }

  /** Gets the instance into etcd on a live lease: retries until the signal ends it. */
  async #establish(signal: AbortSignal, { replace }: { replace: boolean }): Promise<void> {
    const startedAt = monotonicNow();
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#borrowSession(signal);
        if (!replace) await this.#catchUp(signal);
        await this.#publish(this.#session(), signal, { replace, create: true });
        if (this.#isOver) throw new AbortedError('ended meanwhile');
        this.#setState('registered');
        this.#logger.info('instance registered', {
          key: this.#context.key,
          attempt,
          durationMs: Math.round(monotonicNow() - startedAt),
        });
        // Lost while it was being written: the loss was not announced to us then.
        if (this.#session().signal.aborted) this.#onSessionEnd();
        return;
      } catch (error) {
        if (signal.aborted || error instanceof ClosedError || isOwnershipChange(error)) throw error;
        if (replace && isRefusal(error)) throw error;
        this.#logger.warn('instance not registered yet', { key: this.#context.key, attempt, error });
        // etcd does not know the lease: let the session find out, too, so that the next one is a fresh one.
        if (error instanceof NotFoundError)
          await this.#ref?.session.keepAlive({ signal }).catch(() => undefined);
        await delay(backoffDelayMs(attempt, RETRY), signal);
      }
    }
  }

  async #borrowSession(signal: AbortSignal): Promise<void> {
    if (this.#ref?.session.state === 'alive') return;
    this.#releaseSession();
    const ref = await internalsOf(this.#context.client).borrowSession(KIND, this.#context.ttlMs, { signal });
    if (this.#isOver) {
      ref.release();
      throw new AbortedError('ended meanwhile');
    }
    this.#ref = ref;
    setMaxListeners(0, ref.session.signal); // shared by any number of registrations
    ref.session.signal.addEventListener('abort', this.#onSessionEnd, { once: true });
  }

  #releaseSession(): void {
    this.#ref?.session.signal.removeEventListener('abort', this.#onSessionEnd);
    this.#ref?.release();
    this.#ref = undefined;
  }

  #session(): Session {
    if (this.#ref === undefined) throw new ClosedError(`${this.#context.key} has no session any more`);
    return this.#ref.session;
  }

  #publish(
    session: Session,
    signal: AbortSignal,
    options: { replace: boolean; create: boolean },
  ): Promise<void> {
    const write = this.#writing.then(() =>
      this.#claim.publish(() => this.#service, session, { signal, ...options }),
    );
    this.#writing = write.catch(() => undefined);
    return write;
  }

  readonly #onSessionEnd = (): void => {
    if (this.#isOver || this.#state !== 'registered') return;
    const session = this.#session();
    if (session.signal.reason instanceof ClosedError) {
      this.#end('deregistered'); // the client closes
      return;
    }
    this.#logger.warn('registration lost its lease', { key: this.#context.key, leaseId: session.leaseId });
    this.#setState('recovering');
    this.#recovery = this.#recover();
  };

  async #recover(): Promise<void> {
    const { signal } = this.#ended;
    try {
      await delay(Math.random() * RECOVERY_SPREAD_MS, signal);
      await this.#establish(signal, { replace: false });
      await this.#followNewRevisions();
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof LeavingError) this.#finishRemoval();
      else this.#end(error instanceof ConflictError ? 'superseded' : 'deregistered');
    }
  }

  /**
   * Before registering again: has anybody deregistered or replaced us while we were away? The watch tells,
   * as soon as it has shown the state that the key is in now.
   */
  async #catchUp(signal: AbortSignal): Promise<void> {
    const { key, client } = this.#context;
    const { kvs, revision } = await client.kv.range(key, { signal });
    const [kv] = kvs;
    if (revision < this.#seen.revision) return; // another etcd, or one from a backup: there is no such news
    const givesUpAt = monotonicNow() + CATCH_UP_MS;
    while (kv ? this.#seen.revision < kv.modRevision : this.#seen.present) {
      if (monotonicNow() > givesUpAt) {
        this.#logger.warn('registering again without the news of the outage', { key });
        return;
      }
      await delay(CATCH_UP_STEP_MS, signal);
    }
    if (this.#isOver) throw new AbortedError('ended meanwhile');
  }

  /** Watches the own key from the first write on: nothing that happens to it goes unseen. */
  #observeOwnKey(): void {
    this.#seen = { revision: this.#claim.modRevision, present: true };
    const observe = async () => {
      for (let attempt = 1; !this.#isOver; attempt++) {
        try {
          await this.#followOwnKey();
        } catch (error) {
          if (this.#isOver || error instanceof ClosedError) return;
          this.#logger.warn('own key not watched', { key: this.#context.key, error });
        }
        await delay(backoffDelayMs(attempt, RETRY), this.#ended.signal);
      }
    };
    observe().catch(() => undefined); // only the end of the registration ends it
  }

  async #followOwnKey(): Promise<void> {
    const startRevision = this.#seen.revision + 1n;
    const { signal } = this.#ended;
    await using watch = this.#context.client.watch(this.#context.key, {
      startRevision,
      resync: 'snapshot',
      signal,
    });
    this.#ownKeyWatch = watch;
    for await (const { events, resync, revision } of watch) {
      if (resync && events.length === 0) this.#onOwnKeyDelete(revision);
      for (const { type, kv } of events) {
        if (type === 'put') this.#onOwnKeyPut(readKey(kv));
        else this.#onOwnKeyDelete(kv.modRevision);
      }
    }
  }

  /** After a recovery in another etcd, or one from a backup, its revisions are the ones that count. */
  async #followNewRevisions(): Promise<void> {
    if (this.#claim.modRevision >= this.#seen.revision) return;
    this.#seen = { revision: this.#claim.modRevision, present: true };
    await this.#ownKeyWatch?.close();
  }

  #onOwnKeyPut(present: PresentKey): void {
    if (this.#isOver) return;
    const { kv, instance } = present;
    this.#seen = { revision: kv.modRevision, present: true };
    if (this.#claim.observe(present)) {
      if (instance?.leaving) {
        this.#seenLeaving = true;
        this.#finishRemoval();
      } else if (instance?.author?.generation === 0 && kv.modRevision >= this.#claim.modRevision) {
        // An operator has set our health: it is to survive a recovery.
        this.#service = Object.freeze({ ...this.#service, health: instance.info.health });
      }
    } else if (kv.modRevision > this.#claim.modRevision) {
      this.#end('superseded');
    } else if (kv.modRevision > this.#claim.firstRevision) {
      // Late news: a successor has come and gone, and we should not have come back after him.
      this.#finishRemoval();
    }
  }

  #onOwnKeyDelete(revision: bigint): void {
    if (this.#isOver) return;
    this.#seen = { revision, present: false };
    if (revision < this.#claim.modRevision) return; // that was before we came back
    if (this.#seenLeaving) this.#end('deregistered');
    else if (this.#state === 'registered') this.#judgeDelete(this.#session(), this.#claim.modRevision);
  }

  /** The key is gone without a word: deregistered by somebody if the lease lives, else expired. */
  #judgeDelete(session: Session, deletedAfter: bigint): void {
    const judge = async () => {
      for (let attempt = 1; ; attempt++) {
        try {
          await session.keepAlive({ signal: this.#ended.signal, timeoutMs: this.#requestTimeoutMs });
          // Twice: an etcd member may tell of the delete before another one knows of the lease's end.
          await delay(LEASE_PROOF_INTERVAL_MS, this.#ended.signal);
          await session.keepAlive({ signal: this.#ended.signal, timeoutMs: this.#requestTimeoutMs });
          if (this.#state === 'registered' && this.#claim.modRevision === deletedAfter) {
            this.#end('deregistered');
          }
          return;
        } catch {
          if (this.#isOver || session.state !== 'alive') return; // a lost lease starts the recovery by itself
          await delay(backoffDelayMs(attempt, RETRY), this.#ended.signal);
        }
      }
    };
    judge().catch(() => undefined); // only the end of the registration ends it early
  }

  /** Somebody has marked us as leaving: the instance goes, even if he never gets to the delete. */
  #finishRemoval(): void {
    this.#removal ??= this.#remove();
    this.#removal.catch(() => undefined);
  }

  /** Removes the instance from etcd, however long that takes. */
  #remove(): Promise<void> {
    this.#setState('leaving');
    this.#ended.abort();
    this.#releaseSession(); // should the removal never succeed, the lease's end is near
    const removal = this.#removeUntilGone();
    removal.catch(() => undefined); // deregister() reports it; the background removal has nobody to tell
    return removal;
  }

  async #removeUntilGone(): Promise<void> {
    const { key, client } = this.#context;
    const startedAt = monotonicNow();
    await Promise.allSettled([this.#recovery, this.#writing]);
    for (let attempt = 1; ; attempt++) {
      try {
        if (this.#claim.hasUnresolvedWrites) await this.#claim.withdraw();
        const outcome = await removeInstance(client.kv, key, (present) => this.#claim.owns(present), {});
        const durationMs = Math.round(monotonicNow() - startedAt);
        this.#logger.info('instance deregistered', { key, outcome, attempt, durationMs });
        this.#end(outcome === 'replaced' ? 'superseded' : 'deregistered');
        return;
      } catch (error) {
        if (error instanceof ClosedError) {
          this.#end('deregistered'); // its lease goes with the client
          return;
        }
        this.#logger.warn('instance not deregistered yet', { key, attempt, error });
        await pauseRemoval(attempt);
      }
    }
  }

  #end(state: 'deregistered' | 'superseded'): void {
    if (this.#state === 'deregistered' || this.#state === 'superseded') return;
    this.#ended.abort();
    this.#releaseSession();
    this.#setState(state);
    this.#logger.info(`instance ${state}`, { key: this.#context.key });
    this.#context.onEnd();
    this.#listeners.clear();
    this.#withdrawLateWrites();
  }

  /** A lost attempt to create the key must not land after whoever follows has gone. */
  #withdrawLateWrites(): void {
    const withdraw = async () => {
      await Promise.allSettled([this.#recovery, this.#writing]);
      for (let attempt = 1; this.#claim.hasUnresolvedWrites; attempt++) {
        try {
          await this.#claim.withdraw();
        } catch (error) {
          if (error instanceof ClosedError) return;
          await pauseRemoval(attempt);
        }
      }
    };
    withdraw().catch(() => undefined); // cannot fail: each failure is retried
  }

  #setState(state: RegistrationState): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const listener of [...this.#listeners]) {
      try {
        listener(state);
      } catch (error) {
        this.#logger.error('a listener threw', { key: this.#context.key, error });
      }
    }
  }
}

/** Between two attempts in the background. It does not keep the process alive: the lease's end is the last resort. */
function pauseRemoval(attempt: number): Promise<void> {
  return sleep(backoffDelayMs(attempt, RETRY), undefined, { ref: false });
}

/** The key now belongs to somebody else, or somebody is taking us out. */
function isOwnershipChange(error: unknown): boolean {
  return error instanceof ConflictError;
}

/** Answers that another attempt would not change. */
function isRefusal(error: unknown): boolean {
  return [
    ValidationError,
    PermissionError,
    AuthError,
    ResourceExhaustedError,
    ClosedError,
    ConflictError,
  ].some((refusal) => error instanceof refusal);
}

function defined(options: WaitOptions): WaitOptions {
  return {
    ...(options.signal !== undefined && { signal: options.signal }),
    ...(options.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
  };
}
