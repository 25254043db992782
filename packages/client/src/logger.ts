import { styleOf, writable } from './log-style.js';
import { printable } from './printable.js';

/** The least severe that is logged; `silent` is nothing. */
export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug';

/** What pino, winston and console already satisfy. */
export interface Logger {
  /** Something failed, and somebody should look at it. */
  error(...args: unknown[]): void;
  /** Something is not as it should be, and is gone about by itself. */
  warn(...args: unknown[]): void;
  /** What is done for the user. */
  info(...args: unknown[]): void;
  /** What is done within. */
  debug(...args: unknown[]): void;
}

/** A structured line: a message and fields. Fields never hold passwords, tokens or values. */
export interface CoordLogger {
  /** Whether anybody reads lines of this level: where that counts, ask before a line is made. */
  readonly warns: boolean;
  readonly debugs: boolean;
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, unknown>>;

const SEVERITY: Record<LogLevel, number> = { silent: 0, error: 1, warn: 2, info: 3, debug: 4 };

/** Filters by level and writes to the user's logger, in its manner; nothing without one, and one that throws harms nobody. */
export function createCoordLogger(logger: Logger | undefined, level: LogLevel): CoordLogger {
  const reads = (severity: LogLevel) => logger !== undefined && SEVERITY[severity] <= SEVERITY[level];
  const style = styleOf(logger);
  const at = (severity: 'error' | 'warn' | 'info' | 'debug') => (message: string, fields?: LogFields) => {
    if (!reads(severity)) return;
    const line = `coord: ${printable(message)}`;
    try {
      if (fields === undefined) logger?.[severity](line);
      else if (style === 'pino') logger?.[severity](writable(fields, style), line);
      else logger?.[severity](line, writable(fields, style));
    } catch {
      // A full disk of the log must not end a watch or a connection; and where could we say so?
    }
  };
  const [warns, debugs] = [reads('warn'), reads('debug')];
  return { warns, debugs, error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}
