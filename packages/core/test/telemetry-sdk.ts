import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  DataPointType,
  type Histogram,
  MeterProvider,
  MetricReader,
  type ResourceMetrics,
  type ViewOptions,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-base';

/** Reads when it is asked. */
class OnDemandReader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

/** One point of a metric: of a histogram its count and sum, else its value. */
export interface Point {
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly value: number;
  readonly sum: number;
}

/** The real SDK, in memory, as an app would register it. */
export class InMemorySdk {
  readonly #exporter = new InMemorySpanExporter();
  readonly #reader = new OnDemandReader();

  /** @param hooks of the program's own */
  constructor(hooks: { readonly processor?: SpanProcessor; readonly view?: ViewOptions } = {}) {
    const { processor, view } = hooks;
    context.setGlobalContextManager(new AsyncLocalStorageContextManager());
    const spanProcessors = [new SimpleSpanProcessor(this.#exporter), ...(processor ? [processor] : [])];
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [this.#reader], views: view ? [view] : [] }));
  }

  /** Those that have ended. */
  get spans(): readonly ReadableSpan[] {
    return this.#exporter.getFinishedSpans();
  }

  named(name: string): readonly ReadableSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  forgetSpans(): void {
    this.#exporter.reset();
  }

  /** Everything that was measured so far, as exporters get it. */
  async collect(): Promise<ResourceMetrics> {
    const { resourceMetrics, errors } = await this.#reader.collect();
    if (errors.length > 0) throw new AggregateError(errors);
    return resourceMetrics;
  }

  /** The same by name. */
  async metrics(): Promise<
    ReadonlyMap<string, { readonly unit: string; readonly points: readonly Point[] }>
  > {
    const { scopeMetrics } = await this.collect();
    const found = new Map<string, { unit: string; points: Point[] }>();
    for (const { descriptor, ...metric } of scopeMetrics.flatMap((each) => each.metrics)) {
      const points = metric.dataPoints.map(({ attributes, value }): Point => {
        if (metric.dataPointType !== DataPointType.HISTOGRAM) {
          return { attributes, value: Number(value), sum: Number(value) };
        }
        const { count, sum = 0 } = value as Histogram;
        return { attributes, value: count, sum };
      });
      found.set(descriptor.name, { unit: descriptor.unit, points });
    }
    return found;
  }

  async points(name: string): Promise<readonly Point[]> {
    return (await this.metrics()).get(name)?.points ?? [];
  }

  async stop(): Promise<void> {
    for (const api of [context, trace, metrics]) api.disable();
    await Promise.all([this.#exporter.shutdown(), this.#reader.shutdown()]);
  }
}
