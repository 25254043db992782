import {
  AbortedError,
  ClosedError,
  ConflictError,
  type CoordClient,
  NotFoundError,
  type Session,
  TimeoutError,
  type WaitOptions,
} from '@coord/client';
import {
  assertValid,
  backoffDelayMs,
  type CoordLogger,
  checkWaitOptions,
  delay,
  internalsOf,
  monotonicNow,
  Wait,
} from '@coord/client/internal';
import { CheckedHealth } from './checked-health.js';
import { checkDrainOptions, DEFAULT_DRAIN_WAIT_MS, type DrainOptions } from './drain-options.js';
import type { Farewell } from './guarded-removal.js';
import type { ResolvedHealthCheck } from './health-check.js';
import { InstanceWriter } from './instance-writer.js';
import { KeyClaim, LeavingError, type PresentKey } from './key-claim.js';
import { isLeaseAlive } from './lease-proof.js';
import { OwnInstance } from './own-instance.js';
import { OwnKeyWatch } from './own-key-watch.js';
import type { Registration, RegistrationState } from './registration.js';
import { RegistrationLease } from './registration-lease.js';
import { removeUntilGone, withdrawLateWrites } from './registration-removal.js';
import { RegistrationStatus } from './registration-status.js';
import { isRefusal, RETRY } from './retry.js';
import type { HealthStatus, ServiceInfo } from './service-info.js';
import { checkHealth } from './service-registration.js';

export interface RegistrationContext {
  readonly client: CoordClient;
  readonly key: string;
  readonly ttlMs: number;
  /** Told once, when the registration is over. */
  readonly onEnd: () => void;
}

/** A lost lease usually means that many were lost: the first attempts are spread over this time. */
const RECOVERY_SPREAD_MS = 200;

interface DrainFarewell extends Farewell {
  readonly releaseAfterMs: number;
}

/** What a registration is, and what it becomes by what happens to it: see {@link RegistrationState}. */
export class InstanceRegistration implements Registration {
  readonly #context: RegistrationContext;
  readonly #claim: KeyClaim;
  readonly #lease: RegistrationLease;
  readonly #ownKey: OwnKeyWatch;
  readonly #logger: CoordLogger;
  readonly #requestTimeoutMs: number;
  /** Aborts everything that keeps the instance registered, as soon as it shall not be any more. */
  readonly #ended = new AbortController();
  readonly #status: RegistrationStatus;
  readonly #instance: OwnInstance;
  readonly #writer: InstanceWriter;
  #seenLeaving = false;
  /** Ends the wait of the drain that is under way. */
  #hurry: AbortController | undefined;
  #recovery: Promise<void> = Promise.resolve();
  #removal: Promise<void> | undefined;

  constructor(context: RegistrationContext, service: ServiceInfo) {
    const { client, key, ttlMs } = context;
    const { logger, options } = internalsOf(client);
    this.#context = context;
    this.#instance = new OwnInstance(service);
    this.#status = new RegistrationStatus(logger);
    this.#claim = new KeyClaim(client.kv, key);
    this.#lease = new RegistrationLease(client, ttlMs, () => this.#onSessionEnd());
    this.#writer = new InstanceWriter(this.#claim, this.#lease, this.#instance);
    this.#logger = logger;
    this.#requestTimeoutMs = options.requestTimeoutMs;
    this.#ownKey = new OwnKeyWatch({
      client,
      key,
      logger,
      signal: this.#ended.signal,
      onPut: (present) => this.#onOwnKeyPut(present),
      onDelete: (revision) => this.#onOwnKeyDelete(revision),
      onRewound: () => this.#onHistoryRewound(),
    });
  }

  get service(): ServiceInfo {
    return this.#instance.info;
  }

  get state(): RegistrationState {
    return this.#status.state;
  }

  get #isOver(): boolean {
    return this.#ended.signal.aborted || this.#status.isFinal;
  }

  subscribe(callback: (state: RegistrationState) => void): () => void {
    return this.#status.subscribe(callback);
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
      if (this.#claim.mayBeThere) this.#remove();
      else this.#end('deregistered');
      if (deregisteredMeanwhile) this.#assertGoesOn();
      throw wait.errorFor(error);
    }
    this.#ownKey.start(this.#claim.modRevision);
  }

  async updateHealth(status: HealthStatus, options: WaitOptions = {}): Promise<void> {
    const issues = checkHealth([], 'status', status);
    assertValid(checkWaitOptions(issues, options));
    using wait = this.#wait(options, 'update the health of');
    this.#assertGoesOn();
    const end = this.#instance.beginUpdate(status);
    try {
      await this.#update(wait);
    } finally {
      end();
    }
  }

  async #update(wait: Wait): Promise<void> {
    const signal = AbortSignal.any([wait.signal, this.#ended.signal]);
    for (let attempt = 1; ; attempt++) {
      try {
        await wait.race(this.#recovery); // a recovery writes the new health, too
        this.#assertGoesOn();
        await wait.race(this.#writer.write({ signal, replace: false, create: false }));
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

  /** Lets the check decide on the health, for as long as the instance is registered. */
  keepChecking(check: ResolvedHealthCheck, intervalMs: number): void {
    new CheckedHealth({
      instance: this.#instance,
      writer: this.#writer,
      key: this.#context.key,
      logger: this.#logger,
      signal: this.#ended.signal,
      recovered: () => this.#recovery,
    }).start(check, intervalMs);
  }

  async drain(options: DrainOptions = {}): Promise<void> {
    assertValid(checkDrainOptions([], options));
    const { waitMs = DEFAULT_DRAIN_WAIT_MS, timeoutMs = waitMs + this.#requestTimeoutMs, signal } = options;
    using wait = this.#wait({ timeoutMs, signal }, 'drain');
    if (!this.#status.isFinal) this.#drain(waitMs);
    if (this.#removal !== undefined) await wait.race(this.#removal);
  }

  async deregister(options: WaitOptions = {}): Promise<void> {
    assertValid(checkWaitOptions([], options));
    if (options.signal?.aborted !== true) this.hurry();
    await this.leave(options);
  }

  /** Ends the wait of a drain that is under way: the key goes now. */
  hurry(): void {
    this.#hurry?.abort();
  }

  /** Like `deregister`, but a drain under way is given its time. */
  async leave(options: WaitOptions): Promise<void> {
    using wait = this.#wait(options, 'deregister');
    if (!this.#status.isFinal) this.#remove();
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

  #wait({ signal, timeoutMs = this.#requestTimeoutMs }: WaitOptions, verb: string): Wait {
    const what = `${verb} ${this.#context.key}`;
    const tooLate = (ms: number) =>
      new TimeoutError(`${what}: etcd did not confirm it within ${ms} ms`, {
        timeoutMs: ms,
        outcome: 'unknown',
      });
    return new Wait({ timeoutMs, ...(signal && { signal }) }, what, tooLate);
  }

  #assertGoesOn(): void {
    const { key } = this.#context;
    if (this.state === 'superseded') {
      throw new ConflictError(`${key} has been registered by somebody else since`, { key });
    }
    if (this.#isOver) throw new NotFoundError(`${key} has been deregistered; register it again`, { key });
  }

  /** Gets the instance into etcd on a live lease: retries until the signal ends it. */
  async #establish(signal: AbortSignal, { replace }: { replace: boolean }): Promise<void> {
    const startedAt = monotonicNow();
    const { key } = this.#context;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#lease.borrow(signal);
        const create = replace || (await this.#ownKey.caughtUp(signal));
        await this.#writer.write({ signal, replace, create });
        if (this.#isOver) throw new AbortedError('ended meanwhile');
        this.#status.set('registered');
        const durationMs = Math.round(monotonicNow() - startedAt);
        this.#logger.info('instance registered', { key, attempt, durationMs });
        // Lost while it was being written: the loss was not announced to us then.
        if (this.#lease.session.signal.aborted) this.#onSessionEnd();
        return;
      } catch (error) {
        // The key belongs to somebody else by now, or somebody is taking us out: a conflict.
        if (signal.aborted || error instanceof ClosedError || error instanceof ConflictError) throw error;
        if (replace && isRefusal(error)) throw error;
        this.#logger.warn('instance not registered yet', { key, attempt, error });
        if (error instanceof NotFoundError) await this.#lease.doubt(signal);
        await delay(backoffDelayMs(attempt, RETRY), signal);
      }
    }
  }

  #onSessionEnd(): void {
    if (this.#isOver || this.state !== 'registered') return;
    const { signal, leaseId } = this.#lease.session;
    if (signal.reason instanceof ClosedError) {
      this.#end('deregistered'); // the client closes
      return;
    }
    this.#logger.warn('registration lost its lease', { key: this.#context.key, leaseId });
    this.#status.set('recovering');
    this.#recovery = this.#recover();
  }

  /** What is missing, or an older value than ours, is so by no decision of anybody: the lease may live on even so. */
  #onHistoryRewound(): void {
    if (this.#isOver || this.state !== 'registered') return; // a recovery that is under way registers there
    this.#logger.warn('etcd has gone back in time: registering again', { key: this.#context.key });
    this.#status.set('recovering');
    this.#recovery = this.#recover();
  }

  async #recover(): Promise<void> {
    const { signal } = this.#ended;
    try {
      await delay(Math.random() * RECOVERY_SPREAD_MS, signal);
      await this.#establish(signal, { replace: false });
      await this.#ownKey.followFrom(this.#claim.modRevision);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof LeavingError) this.#remove();
      else this.#end(error instanceof ConflictError ? 'superseded' : 'deregistered');
    }
  }

  #onOwnKeyPut(present: PresentKey): void {
    const { kv, instance } = present;
    if (this.#claim.observe(present)) {
      if (instance?.leaving) {
        this.#seenLeaving = true;
        this.#remove(); // the instance goes, even if he who says so never gets to the delete
      } else if (kv.modRevision >= this.#claim.modRevision) {
        this.#instance.adopt(instance);
      }
    } else if (kv.modRevision > this.#claim.modRevision) {
      this.#end('superseded');
    } else if (kv.modRevision > this.#claim.firstRevision) {
      // Late news: a successor has come and gone, and we should not have come back after him.
      this.#remove();
    }
  }

  #onOwnKeyDelete(revision: bigint): void {
    if (revision < this.#claim.modRevision) return; // that was before we came back
    if (this.#seenLeaving) this.#end('deregistered');
    else if (this.state === 'registered') this.#judgeDelete(this.#lease.session, this.#claim.modRevision);
  }

  /** The key is gone without a word: deregistered by somebody if the lease lives, else expired. */
  #judgeDelete(session: Session, deletedAfter: bigint): void {
    const judge = async () => {
      const { signal } = this.#ended;
      const isAlive = await isLeaseAlive(session, { signal, timeoutMs: this.#requestTimeoutMs });
      // A lost lease starts the recovery by itself.
      if (!isAlive || this.state !== 'registered' || this.#claim.modRevision !== deletedAfter) return;
      this.#end('deregistered');
    };
    judge().catch(() => undefined); // only the end of the registration ends it early
  }

  /** Says goodbye, and lets everybody hear of it before the key goes. */
  #drain(waitMs: number): void {
    this.#hurry ??= new AbortController();
    const { signal } = this.#hurry;
    let waiting: Promise<void> | undefined;
    const propagated = () => {
      waiting ??= delay(waitMs, signal).catch(() => undefined);
      return waiting;
    };
    this.#remove({ health: 'maintenance', propagated, releaseAfterMs: waitMs });
  }

  /** Removes the instance from etcd, however long that takes; the first to ask for it says how. */
  #remove(farewell?: DrainFarewell): void {
    if (this.#removal !== undefined) return;
    // First of all: what follows may call the application, which may call us.
    this.#removal = this.#removeUntilGone(farewell);
    this.#removal.catch(() => undefined); // deregister() reports it; the background removal has nobody to tell
    this.#ended.abort();
    if (farewell) this.#instance.setHealth(farewell.health);
    else this.#lease.release(); // should the removal never succeed, the lease's end is near
    this.#status.set('leaving');
  }

  async #removeUntilGone(farewell: DrainFarewell | undefined): Promise<void> {
    // A drain keeps its lease for as long as it may take; should its goodbye never succeed, that one's end is near, too.
    const release = farewell && setTimeout(() => this.#lease.release(), farewell.releaseAfterMs);
    await Promise.allSettled([this.#recovery, this.#writer.idle]);
    const { kv } = this.#context.client;
    this.#end(await removeUntilGone({ kv, claim: this.#claim, logger: this.#logger, farewell }));
    clearTimeout(release);
  }

  #end(state: 'deregistered' | 'superseded'): void {
    if (this.#status.isFinal) return;
    this.#status.set(state);
    this.#ended.abort();
    this.#lease.release();
    this.#logger.info(`instance ${state}`, { key: this.#context.key });
    this.#context.onEnd();
    const withdrawal = Promise.allSettled([this.#recovery, this.#writer.idle]).then(() =>
      withdrawLateWrites(this.#context.client.kv, this.#claim),
    );
    withdrawal.catch(() => undefined); // cannot fail: each failure is retried
  }
}
