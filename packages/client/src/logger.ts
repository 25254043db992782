export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug';

/** What pino, winston and console already satisfy. */
export interface Logger {
  error(...args: unknown[]): void;
  warn(...args: unknown[]): void;
  info(...args: unknown[]): void;
  debug(...args: unknown[]): void;
}

/** A structured line: a message and fields. Fields never hold passwords, tokens or values. */
export interface CoordLogger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, unknown>>;

const SEVERITY: Record<LogLevel, number> = { silent: 0, error: 1, warn: 2, info: 3, debug: 4 };

/** Filters by level and writes `message, fields` to the user's logger; nothing without a logger, and one that throws harms nobody. */
export function createCoordLogger(logger: Logger | undefined, level: LogLevel): CoordLogger {
  const at = (severity: 'error' | 'warn' | 'info' | 'debug') => (message: string, fields?: LogFields) => {
    if (logger === undefined || SEVERITY[severity] > SEVERITY[level]) return;
    try {
      if (fields === undefined) logger[severity](`coord: ${message}`);
      else logger[severity](`coord: ${message}`, fields);
    } catch {
      // A full disk of the log must not end a watch or a connection; and where could we say so?
    }
  };
  return { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
}
