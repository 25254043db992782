import { type Meter, metrics, SpanKind } from '@opentelemetry/api';
import type { CoordLogger } from '../logger.js';
import type { ResolvedClientOptions } from '../options.js';
import { ClientMetrics } from './client-metrics.js';
import { CALL_SECONDS, histogram, type MetricDefinition, WAIT_SECONDS } from './metric-definition.js';
import { Observer } from './observer.js';
import { type ServerAttributes, serverAttributes } from './server-attributes.js';
import { Tracing } from './tracing.js';

export const OPERATION_DURATION: MetricDefinition = {
  name: 'coord.operation.duration',
  unit: 's',
  description: 'How long operations on locks, services and configuration take, waiting included',
  buckets: WAIT_SECONDS,
};

/** As the conventions have it for every database client: https://opentelemetry.io/docs/specs/semconv/db/database-metrics/ */
export const CALL_DURATION: MetricDefinition = {
  name: 'db.client.operation.duration',
  unit: 's',
  description: 'Duration of database client operations',
  buckets: CALL_SECONDS,
};

/** What a client and the packages above it tell about themselves; each part is absent where it is not enabled. */
export interface Telemetry {
  /** Of operations on locks, services and configuration. */
  readonly operations: Observer;
  /** Of calls of the key-value store; undefined when nobody wants to know. */
  readonly calls: Observer | undefined;
  /** For the metrics of the packages above. */
  readonly meter: Meter | undefined;
  readonly metrics: ClientMetrics | undefined;
}

/** @param endpoint tells the URL of the server in use */
export function createTelemetry(
  { enableTracing, enableMetrics }: Pick<ResolvedClientOptions, 'enableTracing' | 'enableMetrics'>,
  logger: CoordLogger,
  endpoint: () => string,
): Telemetry {
  const tracing = enableTracing ? new Tracing() : undefined;
  const meter = enableMetrics ? metrics.getMeter('@coord/client') : undefined;
  const operations = new Observer({
    tracing,
    duration: meter && histogram(meter, OPERATION_DURATION),
    logger,
    attributesOf: ({ name, attributes }) => ({
      'coord.operation': name.slice('coord.'.length),
      ...attributes,
    }),
  });
  return {
    operations,
    calls: tracing || meter ? callObserver(tracing, meter, serverAttributes(endpoint)) : undefined,
    meter,
    metrics: meter && new ClientMetrics(meter),
  };
}

/** Calls are many, and those who make them log what comes of them: no lines in the log. */
function callObserver(
  tracing: Tracing | undefined,
  meter: Meter | undefined,
  server: ServerAttributes,
): Observer {
  return new Observer({
    tracing,
    duration: meter && histogram(meter, CALL_DURATION),
    logger: undefined,
    spanKind: SpanKind.CLIENT,
    attributesOf: ({ attributes }) => ({ ...attributes, ...server() }),
  });
}
