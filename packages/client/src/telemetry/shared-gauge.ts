import type { Meter } from '@opentelemetry/api';
import { type MetricDefinition, observableGauge } from './metric-definition.js';

/** By meter, then by name. */
const gauges = new WeakMap<Meter, Map<string, SharedGauge>>();

/**
 * The highest value of several sources: two clients of one process would otherwise overwrite each other. Without
 * any it is 0, since the SDK goes on with the last value of an instrument that says nothing more.
 */
export class SharedGauge {
  readonly #sources = new Set<() => number>();

  private constructor(meter: Meter, definition: MetricDefinition) {
    // For good, as the meter is: nothing hangs on it but the sources that have not ended.
    observableGauge(meter, definition).addCallback((result) => {
      result.observe(Math.max(0, ...[...this.#sources].map((source) => source())));
    });
  }

  static of(meter: Meter, definition: MetricDefinition): SharedGauge {
    const known = gauges.get(meter) ?? new Map<string, SharedGauge>();
    gauges.set(meter, known);
    const gauge = known.get(definition.name) ?? new SharedGauge(meter, definition);
    known.set(definition.name, gauge);
    return gauge;
  }

  /** @returns the function that ends it */
  add(source: () => number): () => void {
    this.#sources.add(source);
    return () => this.#sources.delete(source);
  }
}
