import { backoffDelayMs, type CoordLogger, delay } from '@coord/client/internal';
import type { ResolvedHealthCheck } from './health-check.js';
import { HealthChecker } from './health-checker.js';
import type { InstanceWriter } from './instance-writer.js';
import type { OwnInstance } from './own-instance.js';
import { RETRY } from './retry.js';

export interface CheckedHealthOptions {
  readonly instance: OwnInstance;
  readonly writer: InstanceWriter;
  readonly key: string;
  readonly logger: CoordLogger;
  /** The end of the registration. */
  readonly signal: AbortSignal;
  /** Resolves when the instance is there, on a live lease. */
  readonly recovered: () => Promise<void>;
}

/** Lets a check decide on the health of an instance. What was taken out on purpose, it leaves alone. */
export class CheckedHealth {
  readonly #options: CheckedHealthOptions;
  #writing: Promise<void> | undefined;

  constructor(options: CheckedHealthOptions) {
    this.#options = options;
  }

  start(check: ResolvedHealthCheck, intervalMs: number): void {
    const { instance, key, logger, signal } = this.#options;
    const service = () => instance.info;
    const onVerdict = (verdict: 'healthy' | 'unhealthy') => this.#onVerdict(verdict);
    new HealthChecker({ check, intervalMs, key, logger, signal, service, onVerdict }).start();
  }

  #onVerdict(health: 'healthy' | 'unhealthy'): void {
    const { instance, key, logger } = this.#options;
    const before = instance.info.health;
    if (health === before || before === 'maintenance') return;
    logger.info('instance health changed by its check', { key, health, before });
    instance.setHealth(health);
    this.#writing ??= this.#write()
      .catch(() => undefined) // only the end of the registration ends it early
      .finally(() => {
        this.#writing = undefined;
      });
  }

  /** In the background: while etcd is away, the last verdict counts. */
  async #write(): Promise<void> {
    const { instance, writer, key, logger, signal, recovered } = this.#options;
    for (let attempt = 1; !instance.isStored; attempt++) {
      try {
        await recovered(); // it writes the new health, too
        if (instance.isStored) return;
        await writer.write({ signal, replace: false, create: false, yields: true });
      } catch (error) {
        logger.debug('health not written yet', { key, attempt, error });
        await delay(backoffDelayMs(attempt, RETRY), signal);
      }
    }
  }
}
