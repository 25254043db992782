import buffer from 'node:buffer';
import { inspect } from 'node:util';

/** What etcd hands out for a password: https://etcd.io/docs/v3.5/learning/design-auth-v3 */
const SIMPLE_TOKEN = /\b[A-Za-z]{16}\.\d+\b/;

/** Secrets that are looked for in whatever is shown, as they are and as they may be written. */
export class Canaries {
  readonly #forms: readonly (readonly [name: string, forms: readonly string[]])[];

  constructor(secrets: Readonly<Record<string, string | Uint8Array>>) {
    this.#forms = Object.entries(secrets).map(([name, secret]) => [name, formsOf(Buffer.from(secret))]);
  }

  /** The names of those that can be read in it, however deep. */
  foundIn(shown: unknown): string[] {
    const text = `${shownWhole(shown)}\n${jsonOf(shown)}`;
    const found = this.#forms.filter(([, forms]) => forms.some((form) => text.includes(form)));
    return [...found.map(([name]) => name), ...(SIMPLE_TOKEN.test(text) ? ['token'] : [])];
  }
}

/** As text, as Node shows bytes, and in base64 at each place where it may begin. */
function formsOf(secret: Buffer): string[] {
  const hex = secret.toString('hex');
  const base64 = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), secret]).toString('base64');
    return text.slice(before === 0 ? 0 : 4, -4);
  });
  return [secret.toString(), hex, hex.replace(/..(?!$)/g, '$& '), [...secret].join(', '), ...base64];
}

function shownWhole(shown: unknown): string {
  const most = buffer.INSPECT_MAX_BYTES;
  buffer.INSPECT_MAX_BYTES = Number.POSITIVE_INFINITY;
  try {
    return inspect(shown, {
      ...{ depth: Number.POSITIVE_INFINITY, showHidden: true, breakLength: Number.POSITIVE_INFINITY },
      ...{ maxStringLength: null, maxArrayLength: null },
    });
  } finally {
    buffer.INSPECT_MAX_BYTES = most;
  }
}

function jsonOf(shown: unknown): string {
  try {
    return JSON.stringify(shown, (_, value) => (typeof value === 'bigint' ? String(value) : value)) ?? '';
  } catch {
    return ''; // a circle
  }
}
