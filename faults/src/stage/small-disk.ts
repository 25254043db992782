import { readFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import type { ClusterHost, ClusterMember } from '@coord/testkit';
import { Namespace } from './namespace.js';

const MIB = 1024 * 1024;
/** With an empty log etcd takes 64 MB for it at once, and 64 MB more ahead of time. */
const SIZE_MIB = 256;
const FLAG = '--data-dir=';
/** Has etcd's data on a file system of its own, which nobody outside sees. */
const MOUNT = `
for arg; do case "$arg" in ${FLAG}*) data="\${arg#${FLAG}}";; esac; done
mountpoint -q "$data" || mount -t tmpfs -o size=${SIZE_MIB}m,mode=700 none "$data" || exit 1
exec "$@"
`;

/** A disk for one member at a time, that can be filled up. It lies in memory, and goes with this process. */
export class SmallDisk implements AsyncDisposable {
  readonly #namespace: Namespace;

  private constructor(namespace: Namespace) {
    this.#namespace = namespace;
  }

  /** Takes root, or to be in a user namespace that makes one root. */
  static async open(): Promise<SmallDisk> {
    return new SmallDisk(await Namespace.open('mount'));
  }

  /** For the testkit: a member that runs there has its data on this disk. */
  get host(): ClusterHost {
    return { launcher: [...this.#namespace.enter, 'sh', '-c', MOUNT, 'small-disk'] };
  }

  /** Takes what is left of it. Returns what gives it back. */
  async fill(member: ClusterMember): Promise<() => Promise<void>> {
    // As the holder of the namespace sees it, which is there also when the member is not.
    const filler = `/proc/${this.#namespace.pid}/root${dataFolderOf(member)}/filler`;
    await using file = await open(filler, 'w');
    for (const size of [MIB, 4_096]) {
      const block = Buffer.alloc(size);
      try {
        for (let blocks = 0; blocks <= (SIZE_MIB * MIB) / size; blocks++) await file.write(block);
        throw new Error(`${filler} takes more than ${SIZE_MIB} MiB: it is no disk of its own`);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
      }
    }
    return () => rm(filler, { force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#namespace[Symbol.asyncDispose]();
  }
}

function dataFolderOf({ name, pid }: ClusterMember): string {
  const args = pid === undefined ? [] : readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  const flag = args.find((arg) => arg.startsWith(FLAG));
  if (flag === undefined) throw new Error(`${name} does not run`);
  return flag.slice(FLAG.length);
}
