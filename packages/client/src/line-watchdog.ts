import { monotonicNow } from './clock.js';

/** What the watchdog needs to know and may do. */
export interface WatchdogHooks {
  /** Provokes an answer. Called only in silence. */
  probe(): void;
  /**
   * Nothing came: neither by itself nor in answer to the probe.
   * @param fresh nothing has ever come
   */
  silent(silentMs: number, fresh: boolean): void;
}

export interface WatchdogTimes {
  /** How long silence is taken for rest. */
  readonly quietMs: number;
  /** How long an answer may take. */
  readonly answerMs: number;
}

/** A timer this late tells of a busy event loop: the answer may be waiting unread. It is read once more. */
const STALLED_MS = 50;
const REREAD_MS = 50;

/**
 * Notices that a line has died without a word: no reset, no end, and nothing ever comes again.
 *
 * Whatever arrives is a sign of life. Only in silence is an answer asked for. It does not keep the
 * process alive.
 */
export class LineWatchdog {
  readonly #times: WatchdogTimes;
  readonly #hooks: WatchdogHooks;
  #heardAt = monotonicNow();
  #fresh = true;
  #probedAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = 0;
  #rereading = false;

  constructor(times: WatchdogTimes, hooks: WatchdogHooks) {
    this.#times = times;
    this.#hooks = hooks;
    this.#schedule(times.quietMs);
  }

  /** Something has arrived. */
  heard(): void {
    this.#heardAt = monotonicNow();
    this.#probedAt = undefined;
    this.#fresh = false;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #schedule(ms: number): void {
    this.#dueAt = monotonicNow() + ms;
    this.#timer = setTimeout(() => this.#tick(), ms);
    this.#timer.unref();
  }

  #tick(): void {
    const { quietMs, answerMs } = this.#times;
    const now = monotonicNow();
    this.#rereading = now - this.#dueAt > STALLED_MS && !this.#rereading;
    const silentMs = now - this.#heardAt;
    if (this.#rereading) {
      this.#schedule(REREAD_MS);
    } else if (this.#probedAt === undefined) {
      if (silentMs >= quietMs) {
        this.#probedAt = now;
        this.#hooks.probe();
      }
      this.#schedule(silentMs >= quietMs ? answerMs : quietMs - silentMs);
    } else if (now - this.#probedAt < answerMs) {
      this.#schedule(this.#probedAt + answerMs - now);
    } else {
      this.#probedAt = undefined;
      this.#schedule(quietMs); // unless it is stopped now
      this.#hooks.silent(silentMs, this.#fresh);
    }
  }
}
