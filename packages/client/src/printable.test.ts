import { describe, expect, it } from 'vitest';
import { ConnectionError } from './errors.js';
import { createCoordLogger } from './logger.js';
import { printable } from './printable.js';

const HOSTILE = 'a\n\u001b[31mERROR forged\r\u0007\u0085\u2028\u202eb';
const ESCAPED = 'a\\x0a\\x1b[31mERROR forged\\x0d\\x07\\x85\\u2028\\u202eb';

describe('printable', () => {
  it('makes one harmless line of any text, and leaves the rest as it is', () => {
    expect(printable(HOSTILE)).toBe(ESCAPED);
    expect(printable('/locks/ünï 鎖 🔒\\x0a')).toBe('/locks/ünï 鎖 🔒\\x0a');
  });

  it('is what an error says, also in its stack', () => {
    const error = new ConnectionError(`lock "${HOSTILE}"`);
    expect(error.message).toBe(`lock "${ESCAPED}"`);
    expect(error.stack?.split('\n')[0]).toBe(`ConnectionError: lock "${ESCAPED}"`);
  });

  it('is what the log gets, in messages and fields', () => {
    const lines: unknown[][] = [];
    const log = (...args: unknown[]) => lines.push(args);
    const logger = createCoordLogger({ error: log, warn: log, info: log, debug: log }, 'info');
    const fields = Object.freeze({ key: HOSTILE, keys: [HOSTILE, 5], count: 5 });
    logger.info(HOSTILE, fields);
    logger.debug(HOSTILE, fields);
    expect(lines).toEqual([[`coord: ${ESCAPED}`, { key: ESCAPED, keys: [ESCAPED, 5], count: 5 }]]);
  });
});
