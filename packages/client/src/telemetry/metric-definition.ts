import type { Attributes, Meter, MetricOptions, ObservableGauge } from '@opentelemetry/api';
import { quietly } from './quietly.js';

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

export interface Histogram {
  record(value: number, attributes?: Attributes): void;
}

/** Also one that goes up and down. */
export interface Counter {
  add(value: number, attributes?: Attributes): void;
}

export function histogram(meter: Meter, definition: MetricDefinition): Histogram {
  const instrument = meter.createHistogram(definition.name, optionsOf(definition));
  return { record: (value, attributes) => quietly(() => instrument.record(value, attributes)) };
}

export function counter(meter: Meter, definition: MetricDefinition): Counter {
  const instrument = meter.createCounter(definition.name, optionsOf(definition));
  return { add: (value, attributes) => quietly(() => instrument.add(value, attributes)) };
}

export function upDownCounter(meter: Meter, definition: MetricDefinition): Counter {
  const instrument = meter.createUpDownCounter(definition.name, optionsOf(definition));
  return { add: (value, attributes) => quietly(() => instrument.add(value, attributes)) };
}

export function observableGauge(meter: Meter, definition: MetricDefinition): ObservableGauge {
  return meter.createObservableGauge(definition.name, optionsOf(definition));
}

function optionsOf({ unit, description, buckets }: MetricDefinition): MetricOptions {
  return { unit, description, ...(buckets && { advice: { explicitBucketBoundaries: [...buckets] } }) };
}
