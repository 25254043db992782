import {
  type Attributes,
  context,
  type Link,
  type Span,
  type SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { Failure } from './failure.js';

/** Makes spans, and runs what they are about inside them. */
export class Tracing {
  readonly #tracer: Tracer = trace.getTracer('@coord/client');

  /**
   * Begins a span below the active one. One that has ended by then does not become its parent: what goes on in
   * the background was started by somebody, but long ago.
   */
  start(name: string, kind: SpanKind, attributes: Attributes): Span {
    const parent = trace.getActiveSpan();
    if (parent === undefined || !hasEnded(parent)) return this.#tracer.startSpan(name, { kind, attributes });
    const links: Link[] = [{ context: parent.spanContext() }];
    return this.#tracer.startSpan(name, { kind, attributes, links, root: true });
  }

  run<T>(span: Span, fn: () => T): T {
    return context.with(trace.setSpan(context.active(), span), fn);
  }

  /** Ends a span as failed. What callers reckon with is told, but is no error. */
  fail(span: Span, { type, outcome, message, expected }: Failure): void {
    span.setAttribute('error.type', type);
    if (outcome !== undefined) span.setAttribute('coord.outcome', outcome);
    if (!expected) span.setStatus({ code: SpanStatusCode.ERROR, ...(message !== undefined && { message }) });
    span.end();
  }
}

/** Spans of the SDK say so; others are of elsewhere, and nobody knows. */
function hasEnded(span: Span): boolean {
  return 'ended' in span && span.ended === true;
}
