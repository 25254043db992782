import { type Attributes, type Span, SpanKind } from '@opentelemetry/api';
import { monotonicNow } from '../clock.js';
import type { CoordLogger, LogFields } from '../logger.js';
import { type Failure, failureOf } from './failure.js';
import type { Histogram } from './metric-definition.js';
import { quietly } from './quietly.js';
import type { Tracing } from './tracing.js';

/** A kind of operation; made once, not at each call. */
export interface Operation {
  /** The span's name, such as `coord.lock.acquire`. The log calls it `lock acquire`. */
  readonly name: `coord.${string}`;
  /** Go onto span and metric, so their values are from a small, fixed set. */
  readonly attributes?: Attributes;
}

/** What one operation is about: onto its span, as `coord.…`, and into the log, but not into metrics. */
export type Subject = Readonly<Record<string, string | number | boolean>>;

export interface ObserverParts {
  readonly tracing: Tracing | undefined;
  readonly duration: Histogram | undefined;
  readonly logger: CoordLogger | undefined;
  readonly spanKind?: SpanKind;
  /** How the metric calls the operation. */
  readonly attributesOf: (operation: Operation) => Attributes;
}

/** Traces, measures and logs operations. With nothing to do it is not in the way: it calls, and that is all. */
export class Observer {
  /** Whether anything is done at all: where that counts, ask before an argument is made. */
  readonly active: boolean;
  readonly #parts: ObserverParts;

  constructor(parts: ObserverParts) {
    const { tracing, duration, logger } = parts;
    this.#parts = parts;
    this.active = tracing !== undefined || duration !== undefined || logger?.warns === true;
  }

  /** @param result what is worth saying of a success */
  observe<T>(
    operation: Operation,
    subject: Subject,
    run: () => Promise<T>,
    result?: (value: T) => Subject,
  ): Promise<T> {
    return this.active ? this.#observe(operation, subject, run, result) : run();
  }

  /** Only traces it: for what consists of operations. */
  trace<T>(operation: Operation, subject: Subject, run: () => Promise<T>): Promise<T> {
    return this.#parts.tracing === undefined ? run() : this.#trace(operation, subject, run);
  }

  async #trace<T>(operation: Operation, subject: Subject, run: () => Promise<T>): Promise<T> {
    const span = this.#start(operation, subject);
    try {
      const value = await this.#run(span, run);
      quietly(() => span?.end());
      return value;
    } catch (error) {
      this.#fail(span, failureOf(error));
      throw error;
    }
  }

  async #observe<T>(
    operation: Operation,
    subject: Subject,
    run: () => Promise<T>,
    result: ((value: T) => Subject) | undefined,
  ): Promise<T> {
    const startedAt = monotonicNow();
    const span = this.#start(operation, subject);
    try {
      const value = await this.#run(span, run);
      const said = result?.(value);
      this.#ended(operation, subject, startedAt, said);
      quietly(() => span?.setAttributes({ ...this.#late(operation), ...(said && named(said)) }).end());
      return value;
    } catch (error) {
      const failure = failureOf(error);
      this.#failed(operation, subject, startedAt, failure);
      quietly(() => span?.setAttributes(this.#late(operation)));
      this.#fail(span, failure);
      throw error;
    }
  }

  #start({ name, attributes }: Operation, subject: Subject): Span | undefined {
    const { tracing, spanKind = SpanKind.INTERNAL } = this.#parts;
    return tracing && quietly(() => tracing.start(name, spanKind, { ...attributes, ...named(subject) }));
  }

  #run<T>(span: Span | undefined, run: () => Promise<T>): Promise<T> {
    const { tracing } = this.#parts;
    return span === undefined || tracing === undefined ? run() : tracing.run(span, run);
  }

  #fail(span: Span | undefined, failure: Failure): void {
    if (span !== undefined) quietly(() => this.#parts.tracing?.fail(span, failure));
  }

  #ended(operation: Operation, subject: Subject, startedAt: number, said: Subject | undefined): void {
    const { duration, logger, attributesOf } = this.#parts;
    const ms = monotonicNow() - startedAt;
    duration?.record(ms / 1_000, attributesOf(operation));
    if (logger?.debugs !== true) return;
    logger.debug(titleOf(operation), { ...subject, outcome: 'ok', durationMs: rounded(ms), ...said });
  }

  #failed(operation: Operation, subject: Subject, startedAt: number, failure: Failure): void {
    const { duration, logger, attributesOf } = this.#parts;
    const ms = monotonicNow() - startedAt;
    duration?.record(ms / 1_000, { ...attributesOf(operation), 'error.type': failure.boundedType });
    if (logger?.warns !== true) return;
    const { type, message, outcome, expected } = failure;
    const fields: LogFields = {
      ...subject,
      outcome: type,
      durationMs: rounded(ms),
      ...(outcome === 'unknown' && { mayBeApplied: true }),
      ...(message !== undefined && { reason: message }),
    };
    logger[expected ? 'debug' : 'warn'](titleOf(operation), fields);
  }

  /** What is only known at the end, such as the server. */
  #late(operation: Operation): Attributes {
    return this.#parts.spanKind === SpanKind.CLIENT ? this.#parts.attributesOf(operation) : {};
  }
}

/** Keys may be as long as etcd lets them be. */
const MAX_TEXT = 256;

function named(subject: Subject): Attributes {
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(subject)) {
    attributes[`coord.${name}`] = typeof value === 'string' ? value.slice(0, MAX_TEXT) : value;
  }
  return attributes;
}

function titleOf({ name }: Operation): string {
  return name.slice('coord.'.length).replaceAll('.', ' ');
}

function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
