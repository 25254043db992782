import { type Counter, counter, type Meter, type MetricDefinition } from '@coord/client/internal';
import type { ConfigRejection } from './config-manager-types.js';

export const CONFIG_UPDATES: MetricDefinition = {
  name: 'coord.config.updates',
  unit: '{update}',
  description: 'What became of the configurations that managers were given',
};

/** Counts what became of each configuration that a manager was given. */
export class UpdateCounter {
  readonly #updates: Counter;

  constructor(meter: Meter) {
    this.#updates = counter(meter, CONFIG_UPDATES);
  }

  /** @param phase where it was rejected */
  add(result: 'applied' | 'rejected' | 'deleted', phase?: ConfigRejection['phase']): void {
    this.#updates.add(1, {
      'coord.config.result': result,
      ...(phase !== undefined && { 'coord.config.phase': phase }),
    });
  }
}
