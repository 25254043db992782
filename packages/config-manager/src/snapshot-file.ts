import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import {
  type Content,
  type ContentType,
  decodeContent,
  encodeContent,
  type Keyring,
} from '@coord/config/internal';

/** The last good value, as it is kept on disk. */
export interface Snapshot {
  readonly value: unknown;
  readonly version: number;
  readonly revision: bigint;
}

const FORMAT = 1;

/**
 * A file with the last good value of a key: a line of JSON, and the value after it.
 *
 * Written to a temporary file, synced and renamed, so that a crash leaves the old one or the new one.
 * It may hold secrets, so only the owner can read it; with a centre that encrypts, it is encrypted.
 */
export class SnapshotFile {
  readonly #path: string;
  readonly #key: string;
  readonly #keyring: Keyring | undefined;

  constructor(path: string, key: string, keyring?: Keyring) {
    this.#path = path;
    this.#key = key;
    this.#keyring = keyring;
  }

  /** Undefined when there is none, or when the key had been deleted. @throws when it cannot be read */
  async load(): Promise<Snapshot | undefined> {
    const bytes = await readFile(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (bytes === undefined) return undefined;
    const end = bytes.indexOf('\n');
    const header = this.#parseHeader(bytes.subarray(0, Math.max(end, 0)).toString('utf8'));
    if (header.contentType === undefined) return undefined;
    const content: Content = { type: header.contentType, bytes: bytes.subarray(end + 1) };
    return { value: this.#decode(content), version: header.version, revision: header.revision };
  }

  async save({ value, version, revision }: Snapshot): Promise<void> {
    const plain = encodeContent([], value);
    const content = this.#keyring?.canSeal ? this.#keyring.seal(this.#key, plain) : plain;
    await this.#write({ contentType: content.type, version, revision: revision.toString() }, content.bytes);
  }

  /** The key was deleted: the value must not come back with the next start. */
  async clear({ version, revision }: Omit<Snapshot, 'value'>): Promise<void> {
    await this.#write({ version, revision: revision.toString() }, new Uint8Array());
  }

  /** @throws {ValidationError} also for what is encrypted and cannot be decrypted */
  #decode(content: Content): unknown {
    return this.#keyring === undefined ? decodeContent(content) : this.#keyring.decode(this.#key, content);
  }

  async #write(fields: Record<string, unknown>, value: Uint8Array): Promise<void> {
    const header = { format: FORMAT, key: this.#key, savedAt: new Date().toISOString(), ...fields };
    const temporary = `${this.#path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        await file.writeFile(Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), value]));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.#path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  #parseHeader(line: string): { contentType: ContentType | undefined; version: number; revision: bigint } {
    const header = parseJson(line);
    if (typeof header === 'object' && header !== null && 'format' in header && header.format === FORMAT) {
      const { key, contentType, version, revision } = header as Record<string, unknown>;
      if (key !== this.#key) throw new Error(`${this.#path} is the snapshot of another key`);
      if (typeof version === 'number' && typeof revision === 'string') {
        return { contentType: contentType as ContentType | undefined, version, revision: BigInt(revision) };
      }
    }
    throw new Error(`${this.#path} is not a snapshot of this version of Coord`);
  }
}

/** Undefined for what is no JSON: the parser's own error would quote it. */
function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
