import {
  ConnectionError,
  CoordError,
  type CoordError as Failure,
  type KV,
  type Session,
  TimeoutError,
  type TxnRequest,
  type TxnResult,
  type WriteOptions,
} from '@coord/client';
import { Contender, type Standing } from '../../src/contender.js';
import { mutexPlace, queuePrefix } from '../../src/lock-key.js';
import { isUnreachable } from '../../src/persist.js';
import { QueueServer } from './queue-server.js';

/** A transaction on its way to etcd: it may arrive long after everybody has given it up, or never. */
interface Message {
  readonly call: Call;
  result: { readonly answer: TxnResult } | { readonly error: Failure } | undefined;
}

interface Call {
  readonly request: TxnRequest;
  readonly idempotent: boolean;
  readonly messages: Message[];
  resolve(result: TxnResult): void;
  reject(error: Failure): void;
}

type State = 'joining' | 'waiting' | 'holding' | 'leaving' | 'left';

/** One who wants the lock, over a client whose calls end as the schedule says. */
class Player {
  readonly contender: Contender;
  readonly leaseId: bigint;
  state: State = 'joining';
  /** Nothing of it is under way: it needs a push. */
  idle = false;
  /** Its lease has ended, or somebody has deleted its key. */
  robbed = false;

  constructor(contender: Contender, leaseId: bigint) {
    this.contender = contender;
    this.leaseId = leaseId;
  }

  get key(): string {
    return this.contender.etcdKeys[0];
  }

  toString(): string {
    return `${this.leaseId}, ${this.state}`;
  }
}

const LAYOUT = { keyPrefix: '/locks', rawNames: false };
const LANE = queuePrefix(LAYOUT, 'a');

/** Contenders for one lock: calls are sent, carried out and answered, or not, each when it is its turn. */
export class QueueWorld {
  readonly #wrong = new Set<string>();
  readonly #server = new QueueServer();
  readonly #players: Player[] = [];
  #calls: Call[] = [];
  #underWay: Message[] = [];
  #newest = 0n;
  /** How often the lock has been taken, and handed over in one transaction. */
  taken = 0;
  handedOver = 0;

  /** What must not be. */
  get wrong(): readonly string[] {
    return [...this.#wrong];
  }

  enter(): void {
    const player = this.#newPlayer();
    if (player !== undefined) void this.#act(player);
  }

  /** Whoever is idle does what comes next: tries again, looks where it stands. */
  push(which: number): void {
    const player = pick(
      this.#players.filter(({ idle }) => idle),
      which,
    );
    if (player !== undefined) void this.#act(player);
  }

  /** One gives up, or gives the lock up. */
  leave(which: number): void {
    const player = pick(
      this.#players.filter(({ state }) => state !== 'left' && state !== 'leaving'),
      which,
    );
    if (player === undefined) return;
    player.state = 'leaving';
    void this.#leave(player);
  }

  handOver(): void {
    const player = this.#players.find(({ state }) => state === 'holding');
    const next = player && this.#newPlayer();
    if (player === undefined || next === undefined) return;
    player.state = 'leaving';
    void this.#handOver(player, next);
  }

  expire(which: number): void {
    const player = pick(this.#players, which);
    if (player === undefined) return;
    player.robbed = true;
    this.#server.expire(player.leaseId);
  }

  /** Somebody else deletes a key. */
  rob(which: number): void {
    const player = pick(this.#players, which);
    if (player === undefined) return;
    if (this.#server.queue(player.key).length > 0) player.robbed = true;
    this.#server.delete(player.key);
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

  /** The client hears no more of a call: what may be repeated, it repeats or gives up. */
  lose(which: number, how: 'again' | 'over' | 'unsent'): void {
    const call = pick(this.#calls, which);
    if (call === undefined) return;
    const [first, ...others] = call.messages;
    if (how === 'unsent' && others.length === 0 && first?.result === undefined) {
      this.#underWay = this.#underWay.filter((each) => each !== first);
      this.#end(call).reject(new ConnectionError('not sent', { outcome: 'not-applied' }));
    } else if (call.idempotent && how === 'again') this.#send(call);
    else if (call.idempotent)
      this.#end(call).reject(new TimeoutError('no answer', { timeoutMs: 1, outcome: 'unknown' }));
    else this.#end(call).reject(new ConnectionError('lost', { outcome: 'unknown' }));
  }

  look(): void {
    const holders = this.#players.filter(({ state, robbed }) => state === 'holding' && !robbed);
    if (holders.length > 1) this.#wrong.add(`${holders.join(' and ')} believe`);
    const [head] = this.#server.queue(LANE);
    for (const holder of holders) if (head?.key !== holder.key) this.#wrong.add(`${holder} is not the head`);
    for (const player of this.#players) {
      const isThere = this.#server.queue(player.key).length > 0;
      if (player.state === 'left' && isThere) this.#wrong.add(`${player}, and its key is there`);
    }
  }

  /** All is well from here on: each takes its turn and leaves; in the end arrives what everybody had given up. */
  async finish(late: readonly boolean[], settle: () => Promise<void>): Promise<void> {
    for (let round = 0; this.#players.some(({ state }) => state !== 'left'); round++) {
      if (round > 500) return void this.#wrong.add(`no end: ${this.#players.join('; ')}`);
      for (const call of [...this.#calls]) {
        const message = call.messages.at(-1);
        if (message !== undefined && this.#underWay.includes(message)) this.#arrive(message);
        this.#answer(call);
      }
      await settle();
      this.look();
      for (let i = this.#players.length; i > 0; i--) this.push(0);
      const holder = this.#players.findIndex(({ state }) => state === 'holding');
      if (holder >= 0) this.leave(this.#players.filter(isHere).findIndex(({ state }) => state === 'holding'));
      await settle();
    }
    for (const [i, message] of this.#underWay.entries()) if (late[i % late.length]) this.#arrive(message);
    this.look();
    if (this.#server.queue(LANE).length > 0) this.#wrong.add('the queue is not empty');
  }

  #newPlayer(): Player | undefined {
    if (this.#players.length === 8) return undefined;
    const leaseId = BigInt(this.#players.length + 1);
    const session: Session = { ...NO_SESSION, leaseId };
    const place = mutexPlace(LAYOUT, 'a', leaseId);
    const support = { client: { kv: this.#kv }, requestTimeoutMs: 5_000 };
    const player = new Player(new Contender(support, place, session, ''), leaseId);
    this.#players.push(player);
    return player;
  }

  async #act(player: Player): Promise<void> {
    player.idle = false;
    const { contender, state } = player;
    if (state === 'leaving') return this.#leave(player);
    if (state !== 'joining' && state !== 'waiting') return;
    try {
      const standing = await (contender.revision === undefined ? contender.join() : contender.verify());
      this.#found(player, standing);
    } catch (error) {
      if (!isHere(player)) return; // it has left meanwhile
      player.idle = true;
      if (!isUnreachable(error)) player.state = 'leaving';
    }
  }

  #found(player: Player, { present, ahead }: Standing): void {
    if (!isHere(player)) return;
    player.idle = !present || ahead.length > 0;
    if (!present) player.state = 'leaving';
    else if (ahead.length > 0) player.state = 'waiting';
    else this.#take(player);
  }

  #take(player: Player): void {
    player.state = 'holding';
    this.taken++;
    const { token } = player.contender;
    if (token <= this.#newest && !player.robbed)
      this.#wrong.add(`${player} has token ${token} after ${this.#newest}`);
    if (token > this.#newest) this.#newest = token;
    this.look();
  }

  async #leave(player: Player): Promise<void> {
    player.idle = false;
    try {
      this.#hasLeft(player, await player.contender.leave());
    } catch {
      player.idle = true;
      // As the library has it: when no lease is alive any more, there is nothing to remove.
      if (!this.#server.hasLease(player.leaseId)) player.state = 'left';
    }
  }

  async #handOver(player: Player, next: Player): Promise<void> {
    try {
      const { left, standing } = await player.contender.handOver(next.contender);
      this.#hasLeft(player, left);
      if (standing === undefined) {
        if (isHere(next)) next.idle = true;
      } else {
        this.handedOver++;
        this.#found(next, standing);
      }
    } catch {
      player.idle = true;
      if (isHere(next)) next.idle = true; // else its own leaving is under way, and the library leaves once
      if (!this.#server.hasLease(player.leaseId)) player.state = 'left';
    }
  }

  #hasLeft(player: Player, wasThere: boolean): void {
    player.state = 'left';
    if (!wasThere && !player.robbed) this.#wrong.add(`${player} was told that its key was gone`);
    this.look();
  }

  readonly #kv: KV = {
    txn: (request, options) => this.#txn(request, options),
    get: unused,
    range: unused,
    list: unused,
    put: unused,
    delete: unused,
  };

  #txn(request: TxnRequest, { idempotent = false }: WriteOptions = {}): Promise<TxnResult> {
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
      message.result = { answer: this.#server.txn(request) };
    } catch (error) {
      if (!CoordError.is(error)) throw error;
      // An earlier attempt may have been carried out, or may yet be.
      const outcome = messages.length > 1 ? 'unknown' : 'not-applied';
      message.result = { error: Object.assign(error, { outcome }) };
    }
    this.look();
  }

  #answer(call: Call): void {
    const result = call.messages.at(-1)?.result;
    if (result === undefined) return;
    const { resolve, reject } = this.#end(call);
    if ('answer' in result) resolve(result.answer);
    else reject(result.error);
  }

  #end(call: Call): Call {
    this.#calls = this.#calls.filter((each) => each !== call);
    return call;
  }
}

const isHere = ({ state }: Player) => state !== 'left' && state !== 'leaving';

const NO_SESSION = {
  ttlMs: 10_000,
  signal: new AbortController().signal,
  state: 'alive',
  remainingMs: 10_000,
  assertAlive: () => undefined,
  keepAlive: async () => undefined,
  close: async () => undefined,
  orphan: () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
} as const;

function unused(): never {
  throw new Error('a contender does not do that');
}

function pick<T>(from: readonly T[], which: number): T | undefined {
  return from[which % from.length];
}
