import { monotonicNow } from '../clock.js';
import { CoordError } from '../errors.js';
import { batchLength, bytesOfAnswer, type Load, packBatch, splitAnswers } from './batch.js';
import { BatchInFlight } from './batch-in-flight.js';
import type { BatchRules, Cargo, LaneName, SendUnary } from './kv-call.js';
import { Lane } from './lane.js';
import { LearnedLimits } from './learned-limits.js';
import type { PendingCall } from './pending-call.js';
import { isTooLarge, isTooManyOps, memberError, verdictOf } from './refusal.js';
import { opsOnPath } from './request-size.js';
import { SimilarTimes } from './similar-times.js';
import { Suspects } from './suspects.js';

/** A call that is ready to go with others. */
interface LoadedCall extends Load {
  readonly pending: PendingCall<unknown>;
}

/** Requests of one sort under way at a time: with one, client and server wait for each other; more make smaller batches. */
const SLOTS = 2;

/**
 * Sends the calls whose turn it is, by themselves or in batches.
 *
 * Group commit: what is called in one turn of the event loop goes together at its end, if its lane has room;
 * else what comes meanwhile goes together as soon as there is room again. A call that finds no company goes
 * as the plain RPC. There is no timer.
 */
export class Dispatcher {
  readonly #send: SendUnary;
  readonly #rules: () => BatchRules;
  readonly #onSent: ((calls: number) => void) | undefined;
  readonly #limits = new LearnedLimits();
  readonly #suspects = new Suspects();
  readonly #lanes: Readonly<Record<LaneName, Lane<PendingCall<unknown>>>>;

  constructor(send: SendUnary, rules: () => BatchRules, onSent?: (calls: number) => void) {
    this.#send = send;
    this.#rules = rules;
    this.#onSent = onSent;
    const lane = () => new Lane<PendingCall<unknown>>(SLOTS, (free) => this.#fill(free));
    this.#lanes = { read: lane(), serializable: lane(), write: lane(), idempotent: lane() };
  }

  dispatch(pending: PendingCall<unknown>): void {
    const { call, options } = pending;
    const together = options.coalesce !== false && !this.#suspects.includes(call);
    if (call.lane === undefined || !together) {
      void this.#sendAlone(pending);
      return;
    }
    pending.watch();
    this.#lanes[call.lane].enqueue(pending);
  }

  #fill(lane: Lane<PendingCall<unknown>>): void {
    while (lane.hasRoom && lane.queue.length > 0) {
      const calls = this.#take(lane);
      const [first] = calls;
      if (first === undefined) continue; // whoever waited has given up
      if (calls.length === 1) void this.#sendOne(lane, first);
      else this.#sendTogether(lane, calls);
    }
  }

  /** The next calls in the queue, as many as may be in a batch at most. */
  #take(lane: Lane<PendingCall<unknown>>): readonly PendingCall<unknown>[] {
    const { ops } = this.#limits.current;
    const calls: PendingCall<unknown>[] = [];
    const others: PendingCall<unknown>[] = [];
    const now = monotonicNow();
    const times = new SimilarTimes();
    let seen = 0;
    for (const pending of lane.queue) {
      if (calls.length >= ops || others.length >= ops) break;
      seen++;
      pending.checkDeadline(now); // the event loop may have stood still
      if (pending.ended) continue;
      (times.take(pending.deadline.expiresAt - now) ? calls : others).push(pending);
    }
    lane.queue.splice(0, seen, ...others);
    return calls;
  }

  /** Sends as many of them as fit into one batch, from the front; the others go on waiting. */
  #sendTogether(lane: Lane<PendingCall<unknown>>, calls: readonly PendingCall<unknown>[]): void {
    const loaded: LoadedCall[] = [];
    for (const pending of calls) {
      const cargo = this.#load(pending);
      if (cargo === undefined) void this.#sendAlone(pending);
      else loaded.push({ pending, cargo, expectedBytes: this.#expectedBytes(pending) });
    }
    const batch = loaded.slice(0, batchLength(loaded, this.#limits.current));
    lane.queue.unshift(...loaded.slice(batch.length).map(({ pending }) => pending));
    const [first] = batch;
    if (first === undefined) return;
    void (batch.length === 1 ? this.#sendOne(lane, first.pending) : this.#sendBatch(lane, batch));
  }

  /** @returns undefined when it goes by itself: also where nothing can be sent at all, which that will tell */
  #load(pending: PendingCall<unknown>): Cargo<unknown> | undefined {
    try {
      return pending.load(this.#rules);
    } catch {
      return undefined;
    }
  }

  /** How large its answer will be. */
  #expectedBytes({ call }: PendingCall<unknown>): number {
    return call.kind === 'read' ? this.#limits.expectedAnswer(call.footprint) : 0;
  }

  async #sendAlone(pending: PendingCall<unknown>, doubt?: unknown): Promise<unknown> {
    this.#onSent?.(1);
    return pending.sendAlone(this.#send, monotonicNow(), doubt);
  }

  async #sendOne(lane: Lane<PendingCall<unknown>>, pending: PendingCall<unknown>): Promise<unknown> {
    const flight = lane.depart();
    const error = await this.#sendAlone(pending);
    lane.arrive(flight);
    return error;
  }

  async #sendBatch(lane: Lane<PendingCall<unknown>>, members: readonly LoadedCall[]): Promise<void> {
    const flight = lane.depart();
    this.#onSent?.(members.length);
    const kind = members[0]?.pending.call.kind ?? 'write';
    const batch = new BatchInFlight(members.map(({ pending }) => pending));
    let calls = members;
    const request = () => {
      // Who was told that his call has ended must not see it take effect by a later attempt.
      calls = calls.filter(({ pending }) => !pending.ended);
      return packBatch(calls);
    };
    try {
      const options = batch.sendOptions(monotonicNow());
      const { responses, header } = await this.#send('txn', request, kind, options);
      lane.gather();
      for (const [{ pending }, answers] of splitAnswers(calls, responses)) {
        if (kind === 'read') this.#limits.noteAnswer(pending.footprint, bytesOfAnswer(answers));
        pending.deliver(answers, header);
      }
    } catch (error) {
      this.#refuse(lane, calls, error);
    }
    lane.arrive(flight);
  }

  #refuse(lane: Lane<PendingCall<unknown>>, calls: readonly LoadedCall[], error: unknown): void {
    const verdict = verdictOf(error);
    if (verdict === 'refused') {
      if (isTooManyOps(error)) this.#limits.noteTooManyOps(opsOnPath(packBatch(calls)));
      if (isTooLarge(error)) this.#limits.noteTooLarge(calls.reduce((n, { cargo }) => n + cargo.bytes, 0));
      this.#split(lane, calls, CoordError.is(error) && error.outcome === 'unknown');
      return;
    }
    if (verdict === 'no-space') this.#limits.noteNoSpace();
    for (const { pending } of calls) {
      const { call, deadline } = pending;
      const own = memberError(error, call.method, deadline.timeoutMs);
      if (verdict === 'no-space' && call.isGuardedDelete() && !pending.ended)
        void this.#sendAlone(pending, own);
      else pending.fail(own);
    }
  }

  /** Sends a refused batch again in halves, until each call has an answer of its own. */
  #split(lane: Lane<PendingCall<unknown>>, calls: readonly LoadedCall[], lost: boolean): void {
    const left = calls.filter(({ pending }) => !pending.ended);
    for (const { pending } of left) pending.alight(lost);
    const middle = Math.ceil(left.length / 2);
    for (const half of [left.slice(0, middle), left.slice(middle)]) {
      const [first] = half;
      if (first === undefined) continue;
      void (half.length === 1 ? this.#sendSuspect(lane, first.pending) : this.#sendBatch(lane, half));
    }
  }

  async #sendSuspect(lane: Lane<PendingCall<unknown>>, pending: PendingCall<unknown>): Promise<void> {
    const error = await this.#sendOne(lane, pending);
    if (error !== undefined && verdictOf(error) === 'refused') this.#suspects.note(pending.call);
  }
}
