/** The process in which the blocks of the pages run, one after another, so that the packages are loaded once. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { SourceTextModule } from 'node:vm';

/** How long a program may go on after its last line. */
const END_MS = Number(process.env.COORD_DOCS_END_MS ?? 20_000);

interface Order {
  readonly file: string;
}

export interface Answer {
  /** Undefined if it ran as it should. */
  readonly error?: string;
  readonly output: string;
}

const environment = { ...process.env };
const written: string[] = [];
let stray: unknown[] = [];

for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
  process.on(event, (error: unknown) => stray.push(error));
}
for (const stream of [process.stdout, process.stderr]) {
  stream.write = (chunk: string | Uint8Array) => written.push(String(chunk)) > 0;
}
const ownListeners = new Set(process.eventNames().flatMap((name) => process.rawListeners(name)));

process.on('message', async ({ file }: Order) => {
  const error = await run(file).catch((reason: unknown) => reason);
  const output = written.splice(0).join('');
  process.send?.({
    ...(error === undefined ? {} : { error: textOf(error) }),
    output,
  } satisfies Answer);
});

async function run(file: string): Promise<void> {
  // As plain JavaScript it must be understood by the oldest Node, without a compiler in between.
  if (file.endsWith('.js')) new SourceTextModule(readFileSync(file, 'utf8'));
  stray = [];
  const idle = process.getActiveResourcesInfo();
  try {
    await import(pathToFileURL(file).href);
    await turn(); // rejections that nobody handles are told at the end of one
    await end(idle);
    if (stray.length > 0) throw stray[0];
    if (process.exitCode) throw new Error(`it set process.exitCode to ${process.exitCode}`);
  } finally {
    forget();
  }
}

/** Resolves when nothing is left that would keep a process of its own alive. */
async function end(idle: readonly string[]): Promise<void> {
  const deadline = performance.now() + END_MS;
  let left = leftovers(idle);
  while (left.length > 0) {
    if (performance.now() > deadline) throw new Error(`it does not end by itself: ${left.join(', ')}`);
    await sleep(10);
    left = leftovers(idle);
  }
}

/** What keeps this process alive, beside what did so before. */
function leftovers(idle: readonly string[]): string[] {
  const left = process.getActiveResourcesInfo();
  for (const name of idle) if (left.includes(name)) left.splice(left.indexOf(name), 1);
  return left;
}

/** The next block finds the process as this one did. */
function forget(): void {
  process.exitCode = undefined;
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  Object.assign(process.env, environment);
  for (const name of process.eventNames()) {
    for (const listener of process.rawListeners(name)) {
      if (name !== 'message' && !ownListeners.has(listener)) {
        process.removeListener(name, listener as (...args: unknown[]) => void);
      }
    }
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
