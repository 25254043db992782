import { TimeoutError } from '@coord/client';
import { type CoordLogger, delay, monotonicNow, raceAbort } from '@coord/client/internal';
import type { ResolvedHealthCheck } from './health-check.js';
import { HealthHysteresis } from './health-hysteresis.js';
import type { ServiceInfo } from './service-info.js';

export interface HealthCheckerOptions {
  readonly check: ResolvedHealthCheck;
  readonly intervalMs: number;
  readonly key: string;
  readonly logger: CoordLogger;
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly service: () => ServiceInfo;
  readonly onVerdict: (verdict: 'healthy' | 'unhealthy') => void;
}

/** So far two runs are from the interval apart, as a share of it: many instances do not stay in step. */
const JITTER = 0.1;

/** Runs the check of one instance again and again, one run at a time. */
export class HealthChecker {
  readonly #options: HealthCheckerOptions;
  readonly #hysteresis: HealthHysteresis;
  /** A run that went on after its time was up. */
  #overdue: Promise<unknown> | undefined;

  constructor(options: HealthCheckerOptions) {
    this.#options = options;
    this.#hysteresis = new HealthHysteresis(options.check);
  }

  start(): void {
    this.#keepChecking().catch(() => undefined); // only the end of the registration ends it
  }

  async #keepChecking(): Promise<void> {
    const { intervalMs, signal, onVerdict } = this.#options;
    await delay(Math.random() * intervalMs, signal);
    for (;;) {
      const startedAt = monotonicNow();
      const passed = await this.#check();
      if (signal.aborted) return;
      const verdict = this.#hysteresis.add(passed);
      if (verdict) onVerdict(verdict);
      const pauseMs = intervalMs * (1 - JITTER + 2 * JITTER * Math.random());
      await delay(Math.max(0, pauseMs - (monotonicNow() - startedAt)), signal);
    }
  }

  async #check(): Promise<boolean> {
    const { key, logger, signal, check } = this.#options;
    const run = new AbortController();
    const end = () => run.abort(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    const { timeoutMs } = check;
    const timer = setTimeout(
      () => run.abort(new TimeoutError(`health check: no result within ${timeoutMs} ms`, { timeoutMs })),
      timeoutMs,
    );
    try {
      const result = await raceAbort(this.#run(run.signal), run.signal);
      if (result === false) logger.debug('health check failed', { key });
      return result !== false;
    } catch (error) {
      logger.debug('health check failed', { key, error });
      return false;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }

  /** A run that hangs is waited for: there are never two at a time. */
  async #run(signal: AbortSignal): Promise<unknown> {
    await this.#overdue;
    if (signal.aborted) return false;
    const { check, service } = this.#options;
    const running = (async () => await check.run(service(), { signal }))();
    const settle = () => {
      this.#overdue = undefined;
    };
    this.#overdue = running.then(settle, settle);
    return await running;
  }
}
