import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { REAPER_SCRIPT } from './reaper-script.js';

/** How the reaper reaches Docker: the options of `http.request`. */
export interface DockerTarget {
  readonly socketPath?: string | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
}

/** What must be gone when this process is gone. */
export interface Guarded {
  /** Unique; also the last part of `folder`. */
  readonly id: string;
  /** An absolute path. It is removed, after every process that has `--data-dir=<folder>/data` was killed. */
  readonly folder: string;
  /** `key=value`: containers with this label are removed. */
  readonly dockerLabel?: string | undefined;
  readonly docker?: DockerTarget | undefined;
}

const MAX_RESPAWNS = 3;
const guarded = new Map<string, Guarded>();
let reaper: ChildProcess | undefined;
let respawns = 0;

/**
 * Has the reaper process kill and remove `entry` should this process die without doing so. Call it before anything
 * of the entry exists: then there is no moment at which a crash leaves something behind.
 */
export function guard(entry: Guarded): void {
  guarded.set(entry.id, entry);
  if (reaper) send(reaper, { guard: entry });
  else reaper = spawnReaper();
}

/** Ends the guard, after everything of the entry is gone. The last one ends the reaper process too. */
export async function unguard(id: string): Promise<void> {
  if (!guarded.delete(id) || !reaper) return;
  send(reaper, { release: id });
  if (guarded.size > 0) return;
  const ending = reaper;
  reaper = undefined;
  ending.ref();
  const ended = ending.exitCode === null && ending.signalCode === null ? once(ending, 'exit') : undefined;
  ending.stdin?.end();
  await ended;
}

function spawnReaper(): ChildProcess {
  const child = spawn(
    process.execPath,
    ['--input-type=commonjs', '-e', REAPER_SCRIPT, 'coord-testkit-reaper'],
    {
      cwd: '/',
      detached: true, // survives a signal to the process group
      env: { PATH: process.env.PATH },
      stdio: ['pipe', 'ignore', 'ignore'],
    },
  );
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
  child.stdin?.on('error', () => undefined); // told by `exit`
  child.once('error', () => replace(child));
  child.once('exit', () => replace(child));
  for (const entry of guarded.values()) send(child, { guard: entry });
  return child;
}

/** Somebody killed the reaper: start another one as long as there is something to guard. */
function replace(dead: ChildProcess): void {
  if (reaper !== dead) return;
  reaper = undefined;
  if (guarded.size > 0 && respawns < MAX_RESPAWNS) {
    respawns += 1;
    reaper = spawnReaper();
  }
}

function send(child: ChildProcess, message: { guard: Guarded } | { release: string }): void {
  child.stdin?.write(`${JSON.stringify(message)}\n`);
}
