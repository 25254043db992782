import {
  type Compare,
  ConnectionError,
  CoordError,
  type KeyValue,
  type KV,
  NotFoundError,
  type Op,
  type OpResult,
  type Session,
  TimeoutError,
  type TxnRequest,
  type TxnResult,
} from '@coord/client';
import { removeInstance } from '../../src/guarded-removal.js';
import { KeyClaim } from '../../src/key-claim.js';
import { removeLateWrites } from '../../src/registration-removal.js';
import type { ServiceInfo } from '../../src/service-info.js';

interface Stored {
  readonly value: string;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
}

/** A transaction on its way to etcd: it may arrive long after it has been given up, or never. */
interface Message {
  readonly call: Call;
  result: { readonly answer: TxnResult } | { readonly error: CoordError } | undefined;
}

interface Call {
  readonly request: TxnRequest;
  readonly idempotent: boolean;
  readonly messages: Message[];
  resolve(result: TxnResult): void;
  reject(error: CoordError): void;
}

const KEY = '/services/late/a';

/** One claim to a key, over a line and an etcd that do what the schedule says. */
export class ClaimWorld {
  readonly wrong: string[] = [];
  readonly #keys = new Map<string, Stored>();
  #revision = 1n;
  #hasLease = true;
  #calls: Call[] = [];
  #underWay: Message[] = [];
  readonly #kv: KV = {
    txn: (request, options) => this.#txn(request, options?.idempotent ?? false),
    get: async (key) => {
      const { responses } = await this.#txn({ success: [{ get: key }] }, true);
      return responses[0]?.type === 'get' ? responses[0].kvs[0] : undefined;
    },
    put: async (key, value, { leaseId } = {}) => {
      const { revision } = await this.#txn({ success: [{ put: { key, value, leaseId } }] }, true);
      return { revision };
    },
    range: unused,
    list: unused,
    delete: unused,
  };
  readonly #claim = new KeyClaim(this.#kv, KEY);
  /** Ours is written as long as it wants to be there; then it goes, for good. */
  #state: 'wanted' | 'leaving' | 'over' | 'gone' = 'wanted';
  #busy = false;
  registered = 0;

  /** Does what comes next: registers, or goes on with its removal. */
  push(): void {
    if (this.#busy) return;
    this.#busy = true;
    const doing = {
      wanted: () => this.#publish(),
      leaving: () => this.#remove(),
      over: () => this.#withdraw(),
    };
    if (this.#state !== 'gone') {
      void doing[this.#state]()
        .catch(() => undefined)
        .finally(() => {
          this.#busy = false;
        });
    }
  }

  /** It is deregistered; or it hears that somebody else has deregistered it. */
  leave(how: 'by itself' | 'by others'): void {
    if (this.#state !== 'wanted' || this.#busy) return;
    this.#state = how === 'by itself' ? 'leaving' : 'over';
    if (how === 'by others') this.#delete();
  }

  /** Somebody deletes the key, or takes it over. */
  rob(how: 'deletes' | 'takes'): void {
    this.#delete();
    if (how === 'takes') this.#put(KEY, '{"id":"a","address":"b","port":2}');
  }

  /** The lease ends, and our keys with it. */
  expire(): void {
    this.#hasLease = false;
    if (this.#isOurs) this.#delete();
  }

  arrive(which: number): void {
    const message = pick(this.#underWay, which);
    if (message !== undefined) this.#arrive(message);
  }

  answer(which: number): void {
    const call = pick(
      this.#calls.filter(({ messages }) => messages.at(-1)?.result !== undefined),
      which,
    );
    if (call !== undefined) this.#answer(call);
  }

  lose(which: number, how: 'again' | 'over'): void {
    const call = pick(this.#calls, which);
    if (call === undefined) return;
    if (call.idempotent && how === 'again') {
      this.#send(call);
      return;
    }
    this.#calls = this.#calls.filter((each) => each !== call);
    if (how === 'again') call.reject(new ConnectionError('lost', { outcome: 'unknown' }));
    else call.reject(new TimeoutError('no answer', { timeoutMs: 1, outcome: 'unknown' }));
  }

  look(): void {
    if (this.#state === 'gone' && this.#isOurs) this.wrong.push('it is there again');
  }

  /** All is well from here on, but for what arrives late, or last of all. */
  async finish(late: readonly boolean[], settle: () => Promise<void>): Promise<void> {
    for (let round = 0; this.#state !== 'gone'; round++) {
      if (round === 100) {
        this.wrong.push(`no end: ${this.#state}`);
        return;
      }
      if (late[round % late.length]) this.arrive(round);
      for (const call of [...this.#calls]) {
        const message = call.messages.at(-1);
        if (message !== undefined && this.#underWay.includes(message)) this.#arrive(message);
        this.#answer(call);
      }
      await settle();
      this.look();
      if (!this.#busy) this.leave(late[0] ? 'by itself' : 'by others');
      this.push();
      await settle();
    }
    for (const message of [...this.#underWay]) this.#arrive(message);
    this.look();
  }

  get #isOurs(): boolean {
    const stored = this.#keys.get(KEY);
    return stored !== undefined && this.#claim.owns(toKeyValue(KEY, stored));
  }

  async #publish(): Promise<void> {
    const options = { signal: new AbortController().signal, replace: true, create: true };
    await this.#claim.publish(() => INFO, SESSION, options);
    this.registered++;
  }

  async #remove(): Promise<void> {
    if (this.#claim.hasUnresolvedWrites) await this.#claim.withdraw();
    await removeInstance(this.#kv, KEY, (present) => this.#claim.owns(present), {});
    this.#state = 'gone';
    this.look();
  }

  async #withdraw(): Promise<void> {
    await removeLateWrites(this.#kv, this.#claim);
    this.#state = 'gone';
    this.look();
  }

  #txn(request: TxnRequest, idempotent: boolean): Promise<TxnResult> {
    return new Promise((resolve, reject) => {
      const call: Call = { request, idempotent, messages: [], resolve, reject };
      this.#calls.push(call);
      this.#send(call);
    });
  }

  #send(call: Call): void {
    const message: Message = { call, result: undefined };
    call.messages.push(message);
    this.#underWay.push(message);
  }

  #arrive(message: Message): void {
    this.#underWay = this.#underWay.filter((each) => each !== message);
    const { request, messages } = message.call;
    try {
      message.result = { answer: this.#execute(request) };
    } catch (error) {
      if (!CoordError.is(error)) throw error;
      const outcome = messages.length > 1 ? 'unknown' : 'not-applied';
      message.result = { error: Object.assign(error, { outcome }) };
    }
    this.look();
  }

  #answer(call: Call): void {
    const result = call.messages.at(-1)?.result;
    if (result === undefined) return;
    this.#calls = this.#calls.filter((each) => each !== call);
    if ('answer' in result) call.resolve(result.answer);
    else call.reject(result.error);
  }

  #execute({ compare = [], success = [], failure = [] }: TxnRequest): TxnResult {
    const succeeded = compare.every((each) => this.#holds(each));
    const ops = succeeded ? success : failure;
    const needsLease = ops.some((op) => 'put' in op && op.put.ignoreLease !== true);
    if (needsLease && !this.#hasLease) throw new NotFoundError('requested lease not found', { key: 'lease' });
    return { succeeded, responses: ops.map((op) => this.#run(op)), revision: this.#revision };
  }

  #holds({ key, target, to }: Compare): boolean {
    const stored = this.#keys.get(String(key));
    return ((target === 'mod' ? stored?.modRevision : stored?.createRevision) ?? 0n) === to;
  }

  #run(op: Op): OpResult {
    if ('put' in op) this.#put(String(op.put.key), String(op.put.value));
    else if ('delete' in op) this.#delete();
    else if ('get' in op) {
      const stored = this.#keys.get(String(op.get));
      const kvs = stored === undefined ? [] : [toKeyValue(String(op.get), stored)];
      return { type: 'get', kvs, count: kvs.length, more: false, revision: this.#revision };
    }
    return { type: 'put', revision: this.#revision };
  }

  #put(key: string, value: string): void {
    this.#revision++;
    const createRevision = this.#keys.get(key)?.createRevision ?? this.#revision;
    this.#keys.set(key, { value, createRevision, modRevision: this.#revision });
  }

  #delete(): void {
    if (this.#keys.delete(KEY)) this.#revision++;
  }
}

const INFO: ServiceInfo = {
  name: 'late',
  id: 'a',
  address: '10.0.0.1',
  port: 1,
  metadata: {},
  health: 'healthy',
  weight: 1,
  registerTime: new Date(0),
  lastHeartbeat: new Date(0),
};

const SESSION: Session = {
  leaseId: 7n,
  ttlMs: 10_000,
  signal: new AbortController().signal,
  state: 'alive',
  remainingMs: 10_000,
  assertAlive: () => undefined,
  keepAlive: async () => undefined,
  close: async () => undefined,
  orphan: () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
};

function toKeyValue(key: string, { value, ...at }: Stored): KeyValue {
  const raw = Buffer.from(value);
  const text = { text: () => value, json: (): unknown => JSON.parse(value) };
  return { key, rawKey: Buffer.from(key), value: raw, version: 1, leaseId: 7n, ...at, ...text };
}

function unused(): never {
  throw new Error('a claim does not do that');
}

function pick<T>(from: readonly T[], which: number): T | undefined {
  return from[which % from.length];
}
