import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import {
  decodeHeader,
  decodeSnapshot,
  encodedBytes,
  encodeSnapshot,
  MAX_HEADER_BYTES,
  type SnapshotHeader,
  type StoredSnapshot,
} from './snapshot-format.js';

/** A larger file is neither written nor read: it would have to fit into memory twice. */
const MAX_SNAPSHOT_BYTES = 512 * 1024 * 1024;
/** A temporary file this old belongs to a process that is no more. */
const ABANDONED_MS = 60_000;

/** A snapshot on disk: either the old one or the new one as a whole, readable by its owner only. */
export class SnapshotFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Undefined when there is none. @throws {Error} that says why it cannot be used */
  async read(): Promise<StoredSnapshot | undefined> {
    await using file = await openIfThere(this.path);
    if (file === undefined) return undefined;
    const { size } = await file.stat();
    assertSize(size);
    return decodeSnapshot(await file.readFile());
  }

  /** Undefined when there is none that is worth anything. */
  async readHeader(): Promise<SnapshotHeader | undefined> {
    await using file = await openIfThere(this.path);
    if (file === undefined) return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_HEADER_BYTES), 0, MAX_HEADER_BYTES, 0);
    try {
      return decodeHeader(buffer.subarray(0, bytesRead));
    } catch {
      return undefined;
    }
  }

  /** Written beside it, flushed to the disk and moved into its place: a crash leaves what was there before. */
  async write(snapshot: StoredSnapshot): Promise<void> {
    assertSize(encodedBytes(snapshot));
    const temporary = `${this.path}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      await using file = await open(temporary, 'wx', 0o600);
      await writeFile(file, encodeSnapshot(snapshot));
      await file.sync();
      await rename(temporary, this.path);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    }
    await syncFolder(dirname(this.path));
  }

  /** Removes what crashed processes have left beside it. */
  async sweep(): Promise<void> {
    const folder = dirname(this.path);
    const name = `${basename(this.path)}.`;
    for (const entry of await readdir(folder)) {
      if (!entry.startsWith(name) || !/^\d+\.[0-9a-f]{12}\.tmp$/.test(entry.slice(name.length))) continue;
      const path = join(folder, entry);
      const { mtimeMs } = await stat(path);
      if (Date.now() - mtimeMs > ABANDONED_MS) await unlink(path);
    }
  }
}

function assertSize(bytes: number): void {
  if (bytes > MAX_SNAPSHOT_BYTES)
    throw new Error(`${bytes} bytes are too large: at most ${MAX_SNAPSHOT_BYTES}`);
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Makes the new name durable; not every system can. */
async function syncFolder(path: string): Promise<void> {
  try {
    await using folder = await open(path, 'r');
    await folder.sync();
  } catch {
    // the content is safe already
  }
}
