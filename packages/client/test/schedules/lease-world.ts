import type { ILeaseKeepAliveRequest } from 'etcd3';
import { ConflictError, ConnectionError } from '../../src/errors.js';
import { LeaseKeeper, type Moment, now } from '../../src/lease-keeper.js';
import { LeaseSession } from '../../src/lease-session.js';
import { type Asked, quiet, type ScriptedStream, ScriptedTransport } from './scripted-transport.js';
import type { SimulatedTime } from './simulated-time.js';

/** What etcd has of a lease. */
interface ServerLease {
  readonly id: string;
  readonly ttlMs: number;
  /** The first moment at which it may be gone. */
  expiresAt: number;
  revoked: boolean;
}

/** One side of a stream: what has not been worked off, and what has not been delivered. */
interface Line {
  readonly stream: ScriptedStream;
  worked: number;
  /** Each with the moment at which its keepalive had been sent. */
  readonly answers: { readonly id: string; readonly ttlMs: number; readonly sentAt: Moment }[];
}

/** A session, and all that it may go by. */
class Watched {
  readonly session: LeaseSession;
  /** Of what has been acknowledged: when it was sent, by both clocks, and for how long it holds. */
  readonly acknowledged: { readonly sentAt: Moment; readonly ttlMs: number; readonly toldAt: number }[];
  ends = 0;
  endedAt: number | undefined;
  closed = false;
  toldGone = false;

  constructor(session: LeaseSession, sentAt: Moment) {
    this.session = session;
    this.acknowledged = [{ sentAt, ttlMs: session.ttlMs, toldAt: performance.now() }];
    session.signal.addEventListener('abort', () => {
      this.ends++;
      this.endedAt = performance.now();
    });
    if (session.signal.aborted) this.endedAt = performance.now();
  }

  get id(): string {
    return this.session.leaseId.toString();
  }

  /** Whether it may be believed in at that moment. */
  isCertain({ monotonic, wall }: Moment): boolean {
    return this.acknowledged.some(
      ({ sentAt, ttlMs, toldAt }) =>
        toldAt <= monotonic && monotonic - sentAt.monotonic < ttlMs && wall - sentAt.wall < ttlMs,
    );
  }
}

/** Longer than any pause between two attempts, and than a step of the time in which all is well. */
const HOPE_MS = 1_300;
const STEP_MS = 100;

/**
 * Sessions of one client over a line and an etcd that do what the schedule says: streams open and break,
 * keepalives are worked off and answered in order, each when it is its turn; leases end on time.
 */
export class LeaseWorld {
  readonly wrong: string[] = [];
  readonly #time: SimulatedTime;
  readonly #transport = new ScriptedTransport();
  readonly #keeper = new LeaseKeeper(this.#transport, quiet);
  readonly #server = new Map<string, ServerLease>();
  readonly #arrived = new Set<Asked>();
  #watched: Watched[] = [];
  #lines: Line[] = [];
  readonly #failedGrants: string[] = [];
  #opening = 0;
  /** Sessions that have been kept by acknowledgements, and that have been lost. */
  kept = 0;
  lost = 0;

  constructor(time: SimulatedTime) {
    this.#time = time;
  }

  async openSession(ttlMs: number): Promise<void> {
    if (this.#opening + this.#watched.filter(({ endedAt }) => endedAt === undefined).length >= 3) return;
    this.#opening++;
    const sentAt = now();
    const context = {
      transport: this.#transport,
      keeper: this.#keeper,
      logger: quiet,
      onEnded: () => undefined,
    };
    const made = this.#transport.made.length;
    const opening = LeaseSession.open({ ttlMs }, context);
    const [grant] = this.#transport.made.slice(made);
    await opening.then(
      (session) => this.#watched.push(new Watched(session, sentAt)),
      () => {
        if (grant !== undefined) this.#failedGrants.push(leaseOf(grant.request).ID);
      },
    );
    this.#opening--;
  }

  /** etcd carries out a grant or a revocation. */
  arrive(which: number): void {
    const asked = pick(
      this.#transport.asked.filter((each) => !this.#arrived.has(each)),
      which,
    );
    if (asked !== undefined) this.#arrive(asked);
  }

  answer(which: number, how: 'ok' | 'again' | 'lost'): void {
    const asked = pick(this.#transport.asked, which);
    if (asked === undefined) return;
    if (how === 'lost') {
      asked.fail(
        new ConnectionError('lost', { outcome: this.#arrived.has(asked) ? 'unknown' : 'not-applied' }),
      );
    } else if (this.#arrived.has(asked)) this.#answer(asked, how);
  }

  openStream(which: number, how: 'opens' | 'fails'): void {
    const opening = pick(this.#transport.openings, which);
    if (how === 'fails') opening?.fail();
    else if (opening !== undefined) this.#lines.push({ stream: opening.open(), worked: 0, answers: [] });
  }

  /** etcd works off the next keepalive of a stream. */
  work(which: number): void {
    const line = pick(
      this.#lines.filter(({ stream, worked }) => worked < stream.written.length),
      which,
    );
    if (line !== undefined) this.#work(line);
  }

  /** The next answer of a stream comes, perhaps of one that has been given up. */
  deliver(which: number): void {
    const line = pick(
      this.#lines.filter(({ answers }) => answers.length > 0),
      which,
    );
    if (line !== undefined) this.#deliver(line);
  }

  breakStream(which: number): void {
    const line = pick(this.#lines, which);
    if (line === undefined) return;
    this.#lines = this.#lines.filter((each) => each !== line);
    if (which % 2 === 0) line.stream.emit('error', new Error('reset'));
    else line.stream.emit('end');
  }

  /** Somebody revokes a lease. */
  revoke(which: number): void {
    const lease = pick([...this.#server.values()], which);
    if (lease !== undefined) lease.revoked = true;
  }

  async keepAlive(which: number): Promise<void> {
    const watched = pick(this.#watched, which);
    if (watched === undefined) return;
    const askedAt = this.#time.now;
    try {
      await watched.session.keepAlive();
      const fresh = watched.acknowledged.some(({ sentAt }) => sentAt.monotonic >= askedAt);
      if (!fresh) this.wrong.push(`keepAlive resolved by an older acknowledgement`);
    } catch {
      if (watched.session.state === 'alive') this.wrong.push('keepAlive failed of a session that lives');
    }
  }

  async end(which: number, how: 'close' | 'orphan'): Promise<void> {
    const watched = pick(this.#watched, which);
    if (watched === undefined) return;
    if (watched.session.state === 'alive') watched.closed = true;
    if (how === 'orphan') watched.session.orphan();
    else await watched.session.close();
  }

  look(): void {
    const { monotonic, wall } = now();
    for (const watched of this.#watched) {
      const { session, endedAt, ends, id } = watched;
      const { state, remainingMs, signal } = session;
      const note = (what: string) => this.wrong.push(`${id} at ${monotonic}: ${what}`);
      if ((state === 'alive') === signal.aborted) note(`${state}, and its signal says otherwise`);
      if (ends > 1) note('told of its end twice');
      if (state !== 'alive') {
        const after = this.#beats(id).filter((at) => at.monotonic > (endedAt ?? monotonic));
        if (after.length > 0) note('kept alive after its end');
        continue;
      }
      if (endedAt !== undefined) note('lives again');
      if (watched.toldGone) note('lives, though etcd has said that it does not');
      if (remainingMs <= 0) note(`lives, with ${remainingMs} ms left`);
      if (!watched.isCertain({ monotonic, wall })) note('lives on without an acknowledgement');
      const server = this.#server.get(id);
      if (server !== undefined && !server.revoked && monotonic >= server.expiresAt)
        note('lives, and etcd has ended it');
    }
  }

  /** For this long all is well. */
  async flow(ms: number): Promise<void> {
    for (const until = this.#time.now + ms; this.#time.now < until; ) {
      while (this.#transport.openings.length > 0) this.openStream(0, 'opens');
      await this.#time.settle();
      for (const line of this.#lines) {
        while (line.worked < line.stream.written.length) this.#work(line);
        while (line.answers.length > 0) this.#deliver(line);
      }
      for (const asked of [...this.#transport.asked]) {
        if (!this.#arrived.has(asked)) this.#arrive(asked);
        this.#answer(asked, 'ok');
      }
      await this.#time.stall(STEP_MS);
      this.look();
    }
  }

  /**
   * From here on all is well: whoever has hope lives on, with a beat every third of its TTL.
   * @param how whether the streams that there are still work, or whether it takes new ones
   */
  async finish(how: 'all well' | 'lines dead'): Promise<void> {
    const hopeful = this.#watched.filter(({ id, session }) => {
      const { state, remainingMs, ttlMs } = session;
      // Until the next beat, and until that one is suspected.
      const foundOutMs = how === 'lines dead' ? ttlMs / 3 + ttlMs / 4 : 0;
      return (
        state === 'alive' && remainingMs > HOPE_MS + foundOutMs && this.#server.get(id)?.revoked === false
      );
    });
    if (how === 'lines dead') this.#lines = [];
    const longest = Math.max(0, ...hopeful.map(({ session }) => session.ttlMs));
    const from = this.#time.now + HOPE_MS + (how === 'lines dead' ? longest : 0);
    const until = from + 1.2 * longest;
    await this.flow(until - this.#time.now);
    for (const { id, session } of hopeful) {
      if (session.state !== 'alive') this.wrong.push(`${id} was given up`);
      const sent = this.#beats(id).map(({ monotonic }) => monotonic);
      const beats = [from, ...sent.filter((at) => at > from), until];
      const gaps = beats.slice(1).map((at, i) => at - (beats[i] ?? at));
      if (Math.max(...gaps) > session.ttlMs / 3 + 2 * STEP_MS)
        this.wrong.push(`${id} was kept alive too seldom`);
    }
    for (const watched of this.#watched) {
      const late = this.#beats(watched.id).find((at) => !watched.isCertain(at));
      if (late !== undefined)
        this.wrong.push(`${watched.id} was kept alive at ${late.monotonic}, and was lost by then`);
    }
    await this.#close();
  }

  /** Ends it all, and looks what is left. */
  async #close(): Promise<void> {
    this.kept = this.#watched.filter(({ acknowledged }) => acknowledged.length > 1).length;
    this.lost = this.#watched.filter(({ closed, endedAt }) => endedAt !== undefined && !closed).length;
    const closed = this.#watched.map(({ session }) => session.close());
    await this.flow(STEP_MS);
    await Promise.all(closed);
    for (const id of this.#failedGrants) {
      const isRevoked = this.#transport.made.some(
        ({ method, request }) => method === 'leaseRevoke' && leaseOf(request).ID === id,
      );
      if (this.#server.has(id) && !isRevoked) this.wrong.push(`${id} was left behind`);
    }
    this.#keeper.close();
    this.#transport.close();
  }

  #arrive(asked: Asked): void {
    this.#arrived.add(asked);
    const { ID: id, TTL: seconds } = leaseOf(asked.request);
    if (asked.method === 'leaseGrant') {
      const ttlMs = Number(seconds) * 1_000;
      this.#server.set(id, { id, ttlMs, expiresAt: this.#time.now + ttlMs, revoked: false });
    } else {
      const lease = this.#server.get(id);
      if (lease !== undefined) lease.revoked = true;
    }
  }

  #answer(asked: Asked, how: 'ok' | 'again'): void {
    const { ID, TTL } = leaseOf(asked.request);
    if (asked.method === 'leaseGrant' && how === 'again') {
      asked.fail(new ConflictError('lease already exists', { key: 'lease' }));
    } else asked.answer({ ID, TTL: `${TTL}` });
  }

  #work(line: Line): void {
    const next = line.stream.written[line.worked++];
    if (next === undefined) return;
    const { ID } = next.request as ILeaseKeepAliveRequest;
    const id = String(ID);
    const lease = this.#server.get(id);
    const lives = lease !== undefined && !lease.revoked && this.#time.now < lease.expiresAt;
    if (lives) lease.expiresAt = this.#time.now + lease.ttlMs;
    line.answers.push({ id, ttlMs: lives ? lease.ttlMs : 0, sentAt: next.at });
  }

  #deliver(line: Line): void {
    const answer = line.answers.shift();
    if (answer === undefined) return;
    const { id, ttlMs, sentAt } = answer;
    const watched = this.#watched.find((each) => each.id === id);
    if (watched !== undefined && !line.stream.canceled) {
      if (ttlMs === 0) watched.toldGone = true;
      else watched.acknowledged.push({ sentAt, ttlMs, toldAt: this.#time.now });
    }
    line.stream.emit('data', { ID: id, TTL: `${ttlMs / 1_000}` });
  }

  #beats(id: string): Moment[] {
    return this.#transport.streams
      .flatMap(({ written }) => written)
      .filter(({ request }) => String((request as ILeaseKeepAliveRequest).ID) === id)
      .map(({ at }) => at);
  }
}

function leaseOf(request: object): { readonly ID: string; readonly TTL?: number } {
  return request as { readonly ID: string; readonly TTL?: number };
}

function pick<T>(from: readonly T[], which: number): T | undefined {
  return from[which % from.length];
}
