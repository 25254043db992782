import type {
  Counter,
  Histogram,
  Meter,
  MetricOptions,
  ObservableGauge,
  UpDownCounter,
} from '@opentelemetry/api';

/** What is measured. Attributes are from small, fixed sets: never keys, names or values. */
export interface MetricDefinition {
  readonly name: `coord.${string}` | `db.${string}`;
  /** In UCUM: `s`, or what is counted in braces. */
  readonly unit: string;
  readonly description: string;
  /** Of a histogram. */
  readonly buckets?: readonly number[];
}

/** For what takes as long as a call. https://opentelemetry.io/docs/specs/semconv/db/database-metrics/ */
export const CALL_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10] as const;
/** For what may wait for others. */
export const WAIT_SECONDS = [...CALL_SECONDS, 30, 60, 300] as const;

export function histogram(meter: Meter, definition: MetricDefinition): Histogram {
  return meter.createHistogram(definition.name, optionsOf(definition));
}

export function counter(meter: Meter, definition: MetricDefinition): Counter {
  return meter.createCounter(definition.name, optionsOf(definition));
}

export function upDownCounter(meter: Meter, definition: MetricDefinition): UpDownCounter {
  return meter.createUpDownCounter(definition.name, optionsOf(definition));
}

export function observableGauge(meter: Meter, definition: MetricDefinition): ObservableGauge {
  return meter.createObservableGauge(definition.name, optionsOf(definition));
}

function optionsOf({ unit, description, buckets }: MetricDefinition): MetricOptions {
  return { unit, description, ...(buckets && { advice: { explicitBucketBoundaries: [...buckets] } }) };
}
