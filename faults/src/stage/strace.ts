import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type EtcdServer, eventually } from '@coord/testkit';
import { COMMAND_PATH } from './command.js';

const ATTACH_MS = 10_000;

/** While it is there, each `fdatasync` of the member meets what strace calls an injection, as `error=EIO`. */
export async function injectInto(
  member: Pick<EtcdServer, 'pid' | 'endpoint'>,
  what: string,
): Promise<AsyncDisposable> {
  if (member.pid === undefined) throw new Error(`${member.endpoint} does not run`);
  return Tracer.attach(member.pid, what);
}

/** Undefined if strace may look into a process of this user that is no child of it. */
export async function problemOfStrace(): Promise<string | undefined> {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  try {
    await using _tracer = await Tracer.attach(child.pid ?? 0, 'error=EIO');
    return undefined;
  } catch (error) {
    return `strace may not attach to a process: ${error instanceof Error ? error.message : String(error)}`;
  } finally {
    child.kill('SIGKILL');
  }
}

/** A strace, attached to all threads of a process and those to come. It ends with that process. */
class Tracer implements AsyncDisposable {
  readonly #child: ChildProcess;
  #said = '';

  private constructor(pid: number, what: string) {
    const only = ['-e', 'trace=fdatasync', '-e', `inject=fdatasync:${what}`, '-o', '/dev/null'];
    this.#child = spawn('strace', ['-f', '-p', String(pid), ...only], {
      detached: true, // Ctrl-C is for this process to hear
      env: { ...process.env, LC_ALL: 'C', PATH: COMMAND_PATH },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#child.on('error', (error) => {
      this.#said += error.message;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
  }

  /** Resolves when it is attached. */
  static async attach(pid: number, what: string): Promise<Tracer> {
    const tracer = new Tracer(pid, what);
    try {
      await eventually(
        () => {
          if (tracer.#over) throw new Error(tracer.#said.trim() || 'strace has ended');
          return /attached/.test(tracer.#said);
        },
        { timeoutMs: ATTACH_MS, intervalMs: 5 },
      );
      return tracer;
    } catch (error) {
      await tracer[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Lets go: what it has stopped goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }

  get #over(): boolean {
    const { exitCode, signalCode, pid } = this.#child;
    return pid === undefined || exitCode !== null || signalCode !== null;
  }
}
