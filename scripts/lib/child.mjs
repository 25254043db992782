import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { childEnvironment, ROOT } from './root.mjs';
import { detail, Failure } from './say.mjs';

const TAIL_LINES = 60;
const GRACE_MS = 10_000;
const ownGroups = process.platform !== 'win32';
const running = new Set();
const stopping = new AbortController();
let abortables = 0;
let interruption;

/** Thrown in place of a child's result once the user has ended the command. */
export class Interrupted extends Error {
  name = 'Interrupted';
  constructor(exitCode) {
    super('interrupted');
    this.exitCode = exitCode;
  }
}

/** Ctrl-C and its kin end every child first: politely, then for certain. */
export function stopOnSignals() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      const again = interruption !== undefined;
      interruption ??= new Interrupted(128 + constants.signals[signal]);
      const patient = !again && abortables > 0;
      if (running.size === 0 && !patient) process.exit(interruption.exitCode);
      stopping.abort(interruption);
      signalAll(again ? 'SIGKILL' : signal);
      if (!again) setTimeout(signalAll, GRACE_MS, 'SIGKILL').unref();
    });
  }
}

function signalAll(signal) {
  for (const child of running) signalGroup(child, signal);
}

/** Runs work inside this process that ends by itself when the signal it gets is aborted. */
export async function abortable(work) {
  abortables += 1;
  try {
    return await work(stopping.signal);
  } catch (error) {
    throw interruption ?? error;
  } finally {
    abortables -= 1;
  }
}

/**
 * Runs a program to its end and whatever it left running, too.
 *
 * `output` is `'show'` (the user's terminal), `'lines'` (shown indented, tail kept) or `'keep'` (tail kept only).
 */
export async function runChild(command, args, { output = 'keep', env, cwd = ROOT } = {}) {
  if (interruption) throw interruption;
  const stdio = output === 'show' ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'];
  const child = spawn(command, args, { cwd, env: childEnvironment(env), stdio, detached: ownGroups });
  running.add(child);
  const tail = [];
  for (const stream of [child.stdout, child.stderr]) if (stream) collect(stream, tail, output === 'lines');
  try {
    const code = await new Promise((resolve, reject) => {
      child.once('error', (cause) => {
        reject(
          new Failure(`${command} does not start: ${cause.message}`, {
            remedy: 'see whether it is installed',
            cause,
          }),
        );
      });
      child.once('close', (exitCode, signal) => resolve(exitCode ?? 128 + constants.signals[signal]));
    });
    await endGroup(child);
    if (interruption) throw interruption;
    return { code, tail: tail.join('\n') };
  } finally {
    running.delete(child);
  }
}

/** Like `runChild`, but an exit code other than 0 is a failure with the given remedy. */
export async function mustRun(command, args, { failure, remedy, ...options } = {}) {
  const { code, tail } = await runChild(command, args, options);
  if (code === 0) return tail;
  throw new Failure(`${failure} (exit code ${code})`, {
    remedy,
    tail: options.output === 'keep' || !options.output ? tail : '',
  });
}

function collect(stream, tail, show) {
  let rest = '';
  const add = (line) => {
    if (show && line.trim() !== '') detail(line);
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
  };
  stream.setEncoding('utf8');
  stream.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    lines.forEach(add);
  });
  stream.on('end', () => rest !== '' && add(rest));
}

function signalGroup(child, signal) {
  try {
    return ownGroups ? process.kill(-child.pid, signal) : child.kill(signal);
  } catch {
    return false; // nobody of that group is left
  }
}

/** A child may leave helpers behind; they end with it. */
async function endGroup(child) {
  if (!ownGroups || child.pid === undefined || !signalGroup(child, 'SIGTERM')) return;
  for (let waited = 0; waited < 2_000; waited += 50) {
    await sleep(50);
    if (!signalGroup(child, 0)) return;
  }
  signalGroup(child, 'SIGKILL');
}
