import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { eventually } from '@coord/testkit';
import { COMMAND_PATH, run } from './command.js';

export type NamespaceKind = 'net' | 'mount';

/** As `/proc` calls them. */
const LINKS = { net: 'net', mount: 'mnt' } as const;

/**
 * Namespaces of the kernel for other processes to run in. They have no name: a process holds them that ends with this one, however
 * this one ends, and the kernel removes them, with all links and mounts in them, when nobody is in them any more.
 */
export class Namespace implements AsyncDisposable {
  readonly #kinds: readonly NamespaceKind[];
  readonly #holder: ChildProcess;

  private constructor(kinds: readonly NamespaceKind[]) {
    this.#kinds = kinds;
    const flags = kinds.map((kind) => `--${kind}`);
    // `cat` ends when its input does. A signal to the process group of this process is none to it.
    this.#holder = spawn('unshare', [...flags, 'cat'], {
      detached: true,
      env: { ...process.env, PATH: COMMAND_PATH },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.#holder.on('error', () => undefined); // told by the exit code, and by who waits for it
    this.#holder.unref();
  }

  /** Takes root, or to be in a user namespace that makes one root. */
  static async open(...kinds: readonly NamespaceKind[]): Promise<Namespace> {
    const namespace = new Namespace(kinds);
    await eventually(() => namespace.#isOwn(), { timeoutMs: 10_000, intervalMs: 2 });
    return namespace;
  }

  /** Of the process that holds it: `/proc/<pid>` shows what processes in it see. */
  get pid(): number {
    return this.#holder.pid ?? 0;
  }

  /** The beginning of a command that runs in it; `nsenter` becomes what follows. */
  get enter(): readonly string[] {
    return ['nsenter', ...this.#kinds.map((kind) => `--${kind}=/proc/${this.pid}/ns/${LINKS[kind]}`)];
  }

  run(...command: readonly string[]): Promise<string> {
    return run([...this.enter, ...command]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    this.#holder.ref();
    const ended = once(this.#holder, 'exit');
    this.#holder.stdin?.end();
    await ended;
  }

  #isOwn(): boolean {
    if (this.#holder.exitCode !== null || this.#holder.pid === undefined)
      throw new Error(`unshare does not work: ${this.#holder.exitCode ?? 'it is not there'}`);
    return this.#kinds.every((kind) => {
      const link = `ns/${LINKS[kind]}`;
      return readlinkSync(`/proc/${this.pid}/${link}`) !== readlinkSync(`/proc/self/${link}`);
    });
  }
}
