import type { EtcdEvent } from '../etcd-event.js';
import type { FaultEntry } from '../run/fault-log.js';
import type { Violation } from '../violation.js';
import { type Life, livesOf } from './lives.js';
import { killedAt, QuietTime } from './quiet-time.js';
import type { RegistryOperation } from './registry-operations.js';
import { type Instance, instanceOf } from './service-states.js';
import { stallsOf } from './stalls.js';

/** What the library promises. */
export const BACK_WITHIN_MS = 5_000;
/** A machine that is very busy takes its time; how long it was is counted. */
export const AWAY_AT_MOST_MS = BACK_WITHIN_MS + 15_000;

export interface RegistrationKeys {
  readonly instancePrefix: string;
  readonly gonePrefix: string;
  /** The value is the process whose registrations are settled from there on: it changes nothing any more. */
  readonly settledPrefix: string;
}

export interface RegistrationReport {
  readonly violations: readonly Violation[];
  /** How long each was away that had not left, while nothing failed and its owner was not frozen, in microseconds. */
  readonly away: readonly number[];
}

interface Fate {
  readonly life: Life;
  /** It was put under its key at least once. */
  written: boolean;
  /** Its value has said so. */
  leaving: boolean;
  /** Nothing of it may come any more. */
  gone: boolean;
  /** It was taken out without a goodbye, for which there was no space; or just then its lease was lost, which looks the same. */
  doubtful: boolean;
  supersededAt: number;
  awaySince: number | undefined;
}

/**
 * R1: who lives and wants to be registered is back within 5 s of losing the lease; each has one key; nobody
 * takes a key back from a successor; who has said goodbye, or was told that it is gone, never comes again; and in the
 * end exactly those are there that should be, and nothing when all have left.
 */
export function checkRegistrations(
  { history, log, faults }: Evidence,
  keys: RegistrationKeys,
): RegistrationReport {
  const check = new RegistrationCheck(history, faults, keys);
  for (const event of log) check.read(event);
  check.end(Math.max(0, ...history.map(({ invokedAt }) => invokedAt), ...log.map(({ seenAt }) => seenAt)));
  return check;
}

export interface Evidence {
  readonly history: readonly RegistryOperation[];
  readonly log: readonly EtcdEvent[];
  readonly faults: readonly FaultEntry[];
}

class RegistrationCheck implements RegistrationReport {
  readonly violations: Violation[] = [];
  readonly away: number[] = [];
  readonly #keys: RegistrationKeys;
  readonly #faults: readonly FaultEntry[];
  readonly #quiet: QuietTime;
  readonly #fates: ReadonlyMap<string, Fate>;
  /** When somebody else wanted to be rid of whoever had an id. */
  readonly #removals: readonly { readonly id: string; readonly at: number }[];
  readonly #present = new Map<string, Instance>();

  constructor(history: readonly RegistryOperation[], faults: readonly FaultEntry[], keys: RegistrationKeys) {
    this.#keys = keys;
    this.#faults = faults;
    this.#quiet = new QuietTime([...faults, ...stallsOf(history)]);
    this.#fates = new Map(
      [...livesOf(history)].map(([registration, life]) => [
        registration,
        {
          ...{ life, written: false, leaving: false, gone: false, doubtful: false },
          ...{ supersededAt: Number.POSITIVE_INFINITY, awaySince: undefined },
        },
      ]),
    );
    this.#removals = history.flatMap(({ name, input, invokedAt }) =>
      name === 'remove' ? [{ id: input.id, at: invokedAt }] : [],
    );
  }

  read(event: EtcdEvent): void {
    const { type, key, value } = event;
    const { instancePrefix, gonePrefix, settledPrefix } = this.#keys;
    if (key.startsWith(instancePrefix)) {
      const id = key.slice(instancePrefix.length);
      if (type === 'put') this.#put(id, instanceOf(value), event);
      else this.#deleted(id, event);
    } else if (type === 'put' && key.startsWith(gonePrefix))
      this.#acknowledgedGone(key.slice(gonePrefix.length));
    else if (type === 'put' && key.startsWith(settledPrefix)) this.#settled(value, event);
  }

  /** @param at the time until which whoever is away has been so */
  end(at: number): void {
    for (const [id, { registration }] of this.#present) this.#complain(`${registration} stays at ${id}`);
    for (const fate of this.#fates.values()) {
      const { registration, registeredAt } = fate.life;
      if (registeredAt !== undefined && !fate.written)
        this.#complain(`${registration} was acknowledged, and never there`);
      this.#isBack(fate, at);
    }
  }

  #complain(what: string): void {
    this.violations.push({ invariant: 'R1', what });
  }

  #put(id: string, instance: Instance, { seenAt, revision }: EtcdEvent): void {
    const { registration, leaving } = instance;
    const fate = this.#fates.get(registration);
    const before = this.#present.get(id);
    this.#present.set(id, instance);
    if (fate === undefined) {
      this.#complain(`${registration} is at ${id}, and nobody registered it`);
      return;
    }
    const { life } = fate;
    if (id !== life.id || instance.id !== life.id)
      this.#complain(`${registration} of ${life.id} is at ${id} as ${instance.id}`);
    if (fate.gone) this.#complain(`${registration} came at ${revision} after it had gone`);
    else if (fate.leaving && !leaving)
      this.#complain(`${registration} came at ${revision} after its goodbye`);
    if (leaving && !fate.leaving && !this.#isMeant(fate, seenAt))
      this.#complain(`${registration} said goodbye at ${revision}, which nobody had asked for`);
    this.#checkSuccession(fate, before, revision);
    if (fate.awaySince !== undefined) this.#isBack(fate, seenAt);
    fate.written = true;
    fate.leaving ||= leaving;
    for (const other of this.#fates.values()) {
      if (other !== fate && other.written && other.life.id === id)
        other.supersededAt = Math.min(other.supersededAt, seenAt);
    }
  }

  /** Registering replaces; who has been registered before that gives way. */
  #checkSuccession({ life }: Fate, before: Instance | undefined, revision: number): void {
    const successor = before && this.#fates.get(before.registration);
    if (successor === undefined || successor.life === life) return;
    const isOlder = (life.registeredAt ?? Number.POSITIVE_INFINITY) < successor.life.begunAt;
    if (isOlder)
      this.#complain(`${life.registration} took ${life.id} back from ${before?.registration} at ${revision}`);
  }

  /** Its owner or somebody else has asked for it, or it was never acknowledged, or it has a successor. */
  #isMeant({ life, supersededAt }: Fate, at: number): boolean {
    if (life.leftAt <= at || life.registeredAt === undefined || supersededAt <= at) return true;
    return this.#removals.some((removal) => removal.id === life.id && removal.at <= at);
  }

  #deleted(id: string, { seenAt }: EtcdEvent): void {
    const before = this.#present.get(id);
    this.#present.delete(id);
    const fate = before && this.#fates.get(before.registration);
    if (fate === undefined) return;
    if (before?.leaving) fate.gone = true;
    else if (this.#isSpeechless(id, seenAt)) fate.doubtful = true;
    else fate.awaySince ??= seenAt;
  }

  /** Without space for a goodbye, etcd takes a delete all the same. */
  #isSpeechless(id: string, at: number): boolean {
    const isFull = this.#faults.some(({ kind, beganAt }) => kind === 'no space' && beganAt <= at);
    return isFull && this.#removals.some((removal) => removal.id === id && removal.at <= at);
  }

  #acknowledgedGone(registration: string): void {
    const fate = this.#fates.get(registration);
    if (fate === undefined) return;
    if (this.#present.get(fate.life.id)?.registration === registration)
      this.#complain(`${registration} is there after it was acknowledged to be gone`);
    fate.gone = true;
  }

  /** Of this process exactly those are there that should be. */
  #settled(process: string, { seenAt, revision }: EtcdEvent): void {
    const present = new Set([...this.#present.values()].map(({ registration }) => registration));
    for (const fate of this.#fates.values()) {
      const { life, leaving, gone, supersededAt } = fate;
      if (life.process !== process) continue;
      const left = life.leftAt <= seenAt || leaving || gone || supersededAt <= seenAt;
      const wanted = life.registeredAt !== undefined && !left;
      if (wanted !== present.has(life.registration) && !fate.doubtful) {
        const what = wanted ? 'is not there, and should be' : 'is there, and should not be';
        this.#complain(`${life.registration} ${what}, at ${revision} when all is settled`);
      }
      this.#isBack(fate, seenAt);
    }
  }

  /** It was away until then; what counts is how long it should have been there. */
  #isBack(fate: Fate, at: number): void {
    const { life, awaySince, supersededAt } = fate;
    fate.awaySince = undefined;
    if (awaySince === undefined || life.registeredAt === undefined) return;
    const from = Math.max(awaySince, life.registeredAt);
    const to = Math.min(at, life.leftAt, supersededAt, killedAt(this.#faults, life.process));
    if (to <= from) return;
    const micros = this.#quiet.between(from, to, life.process);
    this.away.push(micros);
    if (micros > AWAY_AT_MOST_MS * 1_000)
      this.#complain(
        `${life.registration} was away for ${Math.round(micros / 1_000)} ms in which nothing failed`,
      );
  }
}
