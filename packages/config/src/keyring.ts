import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { ValidationError } from '@coord/client';
import { type IssueList, show } from '@coord/client/internal';
import { type Content, type ContentType, decodeContent } from './content.js';

/** The keys that values are encrypted with, by the program's own names for them. */
export interface EncryptionConfig {
  /**
   * Each of 32 bytes. Keep the old ones for as long as values or history need them. The names are stored beside what
   * they encrypted.
   */
  readonly keys: Readonly<Record<string, Uint8Array>>;
  /** The name of the key to encrypt with from now on. */
  readonly current: string;
}

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** How an encrypted value begins, also for who has nothing but its bytes. */
const MARK = 'coord:sealed:1:';
const SEALED = /^coord:sealed:1:([\w.-]{1,64}):([\w-]+)$/;
/** What the bytes inside are; part of what is encrypted. */
const INNER_TYPES: readonly ContentType[] = ['text', 'json', 'bytes', 'auto', 'yaml'];

/** Whether a value is stored encrypted. By others it is known by how it begins. */
export function isSealed({ type, bytes }: Content): boolean {
  if (type === 'sealed') return true;
  return type === 'auto' && Buffer.from(bytes.subarray(0, MARK.length)).toString('latin1') === MARK;
}

/**
 * Encrypts values and decrypts them. What it cannot decrypt it refuses: nothing is ever taken for plain text
 * because its key is missing. The key material is in no log and in no print of this object.
 */
export class Keyring {
  readonly #keys: ReadonlyMap<string, KeyObject>;
  readonly #current: string | undefined;

  constructor(config: EncryptionConfig | undefined) {
    this.#current = config?.current;
    this.#keys = new Map(
      Object.entries(config?.keys ?? {}).map(([id, bytes]) => [id, createSecretKey(Buffer.from(bytes))]),
    );
  }

  get canSeal(): boolean {
    return this.#current !== undefined;
  }

  /** Whether it is encrypted with the key of today. */
  isCurrent(content: Content): boolean {
    return partsOf(content)?.id === this.#current;
  }

  /** @throws {ValidationError} when there is no key */
  seal(key: string, { type, bytes }: Content): Content {
    const secret = this.#current === undefined ? undefined : this.#keys.get(this.#current);
    if (secret === undefined) {
      throw refusal(
        `of config "${key}" is to be encrypted, and this centre has no key; give it with \`encryption\``,
      );
    }
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, secret, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(boundTo(key, this.#current));
    const inner = Buffer.concat([Buffer.of(INNER_TYPES.indexOf(type)), bytes]);
    const sealed = Buffer.concat([nonce, cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
    return { type: 'sealed', bytes: Buffer.from(`${MARK}${this.#current}:${sealed.toString('base64url')}`) };
  }

  /**
   * What is inside of an encrypted value; a plain one as it is.
   * @throws {ValidationError} for an unknown key, and for what was changed or belongs to another config key
   */
  open(key: string, content: Content): Content {
    if (!isSealed(content)) return content;
    const parts = partsOf(content);
    if (parts === undefined) throw refusal(`of config "${key}" should be encrypted, and is damaged`);
    const secret = this.#secretOf(key, parts.id);
    const { sealed } = parts;
    const tagAt = sealed.length - TAG_BYTES;
    try {
      const nonce = sealed.subarray(0, NONCE_BYTES);
      const decipher = createDecipheriv(ALGORITHM, secret, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(boundTo(key, parts.id)).setAuthTag(sealed.subarray(tagAt));
      const inner = Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, tagAt)), decipher.final()]);
      const type = INNER_TYPES[inner[0] ?? -1];
      if (type !== undefined) return { type, bytes: inner.subarray(1) };
    } catch {
      // reported below, without details: they would be of use to an attacker only
    }
    throw refusal(`of config "${key}" cannot be decrypted: it was changed, or encrypted for another key`);
  }

  /**
   * For who is about to write over a value without having read it.
   * @throws {ValidationError} when it is encrypted with a key that is not here
   */
  assertHasKeyOf(key: string, content: Content): void {
    const parts = isSealed(content) ? partsOf(content) : undefined;
    if (parts !== undefined) this.#secretOf(key, parts.id);
  }

  #secretOf(key: string, id: string): KeyObject {
    const secret = this.#keys.get(id);
    if (secret !== undefined) return secret;
    throw refusal(
      `of config "${key}" is encrypted with the key ${show(id)}, which this centre does not have`,
    );
  }

  /** What a value says, encrypted or not. */
  decode(key: string, content: Content): unknown {
    return decodeContent(this.open(key, content));
  }
}

function partsOf({ bytes }: Content): { readonly id: string; readonly sealed: Buffer } | undefined {
  const [, id, text] = SEALED.exec(Buffer.from(bytes).toString('latin1')) ?? [];
  if (id === undefined || text === undefined) return undefined;
  const sealed = Buffer.from(text, 'base64url');
  return sealed.length > NONCE_BYTES + TAG_BYTES ? { id, sealed } : undefined;
}

/** A value that somebody copies to another config key, or renames the key of, is not decrypted there. */
function boundTo(key: string, id: string | undefined): Buffer {
  return Buffer.from(JSON.stringify(['coord', 1, key, id]));
}

function refusal(message: string): ValidationError {
  return new ValidationError([{ path: 'value', message }]);
}

export function checkEncryption(issues: IssueList, config: unknown): void {
  if (config === undefined) return;
  if (typeof config !== 'object' || config === null || !('keys' in config) || !('current' in config)) {
    issues.push({ path: 'encryption', message: 'must be an object with keys and current' });
    return;
  }
  const { keys, current } = config;
  if (typeof keys !== 'object' || keys === null) {
    issues.push({ path: 'encryption.keys', message: `must be an object, got ${show(keys)}` });
    return;
  }
  for (const [id, bytes] of Object.entries(keys)) {
    const path = `encryption.keys.${id}`;
    if (!/^[\w.-]{1,64}$/.test(id))
      issues.push({ path, message: 'must be named with letters, digits, ".", "_", "-"' });
    // Neither the bytes nor a text that should have been bytes is shown.
    if (!(bytes instanceof Uint8Array) || bytes.length !== KEY_BYTES) {
      issues.push({ path, message: `must be ${KEY_BYTES} bytes` });
    }
  }
  if (typeof current !== 'string' || !Object.hasOwn(keys, current)) {
    issues.push({ path: 'encryption.current', message: 'must be the name of one of the keys' });
  }
}
