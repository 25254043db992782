import { setTimeout as sleep } from 'node:timers/promises';
import { type CoordClient, CoordError, type Session } from '@coord/client';
import type { WorkerContext } from '../run/worker-context.js';
import { BLOCKED_MS, block } from './block.js';
import { clockOf, LIFE_OF_LATE_MS, type SessionClock } from './session-clock.js';
import { SESSION_TTL_MS, sessionKey } from './session-names.js';
import type { OfSession, SessionShapes } from './session-operations.js';

const ASK_MS = 50;
const PAUSE_MS = 20;
const LIFE_MS = { least: 500, more: 4_000 };
/** How long is waited for what must come by itself: the loss of a lease that somebody else has ended. */
const ENDED_MS = SESSION_TTL_MS * 3;
const REVOKED = 0.25;
const ASKED = 0.5;
const RENEWED = 0.1;
/** Much longer than one may go on after a loss. */
const DEAF_MS = 2_000;
const ORPHANED = 0.2;
const BLOCKED = 0.02;

/** Opens one session after another, each with a key on it, and notes all that it says. */
export class SessionSlot {
  readonly #context: WorkerContext<SessionShapes>;
  readonly #client: CoordClient;
  readonly #name: string;
  readonly #random: () => number;
  #rounds = 0;

  constructor(
    context: WorkerContext<SessionShapes>,
    client: CoordClient,
    name: string,
    random: () => number,
  ) {
    this.#context = context;
    this.#client = client;
    this.#name = name;
    this.#random = random;
  }

  async run(): Promise<void> {
    while (!this.#context.stopped.aborted) {
      this.#rounds += 1;
      const of = { session: `${this.#name}-${this.#rounds}` };
      const session = await this.#open(of);
      if (session !== undefined) {
        await this.#context.at('after opening', { part: of.session });
        await this.#hold(of, session);
      }
      await sleep(PAUSE_MS);
    }
  }

  /** Also one whose key may not have been written: it is closed, which takes the key along. */
  async #open(of: OfSession): Promise<Session | undefined> {
    const { recorder, assignment } = this.#context;
    const opened: Session[] = [];
    const { outcome } = await recorder.perform('open', of, async () => {
      const session = await this.#client.session({ ttlMs: SESSION_TTL_MS });
      opened.push(session);
      const leased = this.#context.isPlanted('no lease') ? {} : { session };
      await this.#client.kv.put(sessionKey(assignment.run, of.session), '', leased);
      return {};
    });
    const [session] = opened;
    if (outcome === 'ok' || session === undefined) return session;
    await this.#close(of, session, 'close');
    return undefined;
  }

  async #hold(of: OfSession, session: Session): Promise<void> {
    const { recorder, stopped } = this.#context;
    const { signal } = session;
    const onEnd = () => {
      if (session.state === 'lost') recorder.observe('lost', of, {});
    };
    const isDeaf = this.#context.isPlanted('deaf');
    if (!isDeaf) {
      signal.addEventListener('abort', onEnd, { once: true });
      if (signal.aborted) onEnd(); // since its key was written
    }
    const over = new AbortController();
    const clock = clockOf(this.#context, this.#client, session, over.signal);
    // One that is asked tells of its loss at the latest then; others have to tell by themselves.
    const isAsked = this.#context.assignment.variant !== '' || this.#random() < ASKED;
    const isLate = this.#context.isPlanted('from the answer');
    const lifeMs = isLate ? LIFE_OF_LATE_MS : LIFE_MS.least + this.#random() * LIFE_MS.more;
    const endAt = performance.now() + lifeMs;
    while (performance.now() < endAt && (isLate || !stopped.aborted)) {
      if (isAsked) this.#ask(of, clock);
      if (isAsked && this.#random() < RENEWED) await this.#renew(of, session);
      await sleep(ASK_MS);
    }
    if (this.#random() < REVOKED && !stopped.aborted) await this.#revoke(of, session);
    this.#ask(of, clock);
    if (isDeaf && clock.leftMs === 0) await sleep(DEAF_MS);
    over.abort();
    await this.#close(of, session, this.#random() < ORPHANED ? 'orphan' : 'close');
  }

  #ask(of: OfSession, { leftMs }: SessionClock): void {
    this.#context.recorder.observe('ask', of, { alive: leftMs > 0, leftMs });
  }

  async #renew(of: OfSession, session: Session): Promise<void> {
    await this.#context.at('before a keepalive', { part: of.session });
    await this.#context.recorder.perform('renew', of, async () => {
      const renewing = session.keepAlive({ timeoutMs: SESSION_TTL_MS });
      const isPlanted = this.#context.assignment.variant !== '';
      if (!isPlanted && this.#random() < BLOCKED) block(BLOCKED_MS); // it is sent, and its answer is not read
      await renewing;
      return {};
    });
  }

  /** As an operator does. Then the session has to tell by itself. */
  async #revoke(of: OfSession, session: Session): Promise<void> {
    const { recorder, stopped } = this.#context;
    if (session.state !== 'alive') return;
    await recorder.perform('revoke', of, async () => {
      await this.#client.etcd3.leaseClient
        .leaseRevoke({ ID: session.leaseId.toString() })
        .catch((error: unknown) => {
          throw new CoordError('COORD_SERVER', String(error), { outcome: 'unknown' });
        });
      return {};
    });
    const told = this.#context.isPlanted('deaf') ? stopped : AbortSignal.any([session.signal, stopped]);
    await sleep(ENDED_MS, undefined, { signal: told }).catch(() => undefined);
  }

  async #close(of: OfSession, session: Session, kind: 'close' | 'orphan'): Promise<void> {
    await this.#context.recorder.perform('close', { ...of, kind }, async () => {
      if (kind === 'close') await session.close();
      else session.orphan();
      return {};
    });
  }
}
