import { Console } from 'node:console';
import { CoordError } from './errors.js';
import type { LogFields, Logger } from './logger.js';
import { printable } from './printable.js';

/**
 * How a logger wants to be called. pino takes the fields first, and loses those that come after the message
 * (https://getpino.io/#/docs/api?id=logging-method-parameters); the console shows errors as they are; the others
 * take the fields last, and write them as JSON.
 */
export type LogStyle = 'pino' | 'console' | 'plain';

/** All loggers of pino have it, children and those of Fastify as well. */
const PINO = Symbol.for('pino.serializers');

export function styleOf(logger: Logger | undefined): LogStyle {
  if (logger === undefined) return 'plain';
  try {
    if (PINO in logger) return 'pino';
    return logger instanceof Console ? 'console' : 'plain';
  } catch {
    return 'plain'; // a proxy that answers nothing but what a logger must
  }
}

/**
 * The fields as the logger can write them: text without what could pass for another line, since not every logger
 * escapes it, and neither errors nor bigints where JSON would lose them.
 */
export function writable(fields: LogFields, style: LogStyle): LogFields {
  const copy: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    // By this name, pino knows that it is an error.
    if (value instanceof Error && style === 'pino' && name === 'error') copy.err = value;
    else copy[name] = writableValue(value, style);
  }
  return copy;
}

function writableValue(value: unknown, style: LogStyle): unknown {
  if (typeof value === 'string') return printable(value);
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map((each) => writableValue(each, style));
  if (value instanceof Error && style !== 'console') {
    if (CoordError.is(value)) return value.toJSON();
    const { name, message, stack } = value;
    return { name, message, stack };
  }
  return value;
}
