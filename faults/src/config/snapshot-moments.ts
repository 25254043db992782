import { watch } from 'node:fs';
import { basename, dirname } from 'node:path';

const STANDING_MS = 30;
/** Of the moments; a process that stood still at each would do little else. */
const SHARE = 0.3;

/**
 * Tells of moments amid the writing of a snapshot file: while its temporary file is there this thread stands still for
 * a little, so that what strikes strikes then. Returns what ends it.
 */
export function tellOfSnapshots(file: string, at: (point: string) => Promise<void>): () => void {
  const watcher = watch(dirname(file), (_event, name) => {
    if (name === null || !name.startsWith(`${basename(file)}.`) || Math.random() > SHARE) return;
    at('in snapshot writing').catch(() => undefined); // it never fails
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STANDING_MS);
  });
  return () => watcher.close();
}
