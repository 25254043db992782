import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Fault } from '../run/cluster-faults.js';
import { run } from './command.js';
import { startProxied } from './proxied-stage.js';
import type { StageKind, WorkerLaunch } from './stage.js';

const HOUR_S = 3_600;
const LONG = 3;
const NAME = 'libfaketimeMT.so.1';
/** Where distributions put it. */
const FOLDERS = ['/usr/lib', '/usr/lib64', '/usr/local/lib'];

/** The wall clocks of the workers are set forth and back; clocks that measure durations go on. */
export const CLOCK: StageKind = {
  name: 'clock',
  about: 'wall clocks of workers that jump by an hour, by libfaketime',
  missing: async () => {
    if (process.platform !== 'linux') return 'it takes Linux';
    const library = findLibrary();
    if (library === undefined)
      return `${NAME} is not in ${FOLDERS.join(', ')} (Debian: apt-get install libfaketime)`;
    await using clock = new WorkerClock(library);
    clock.set(HOUR_S);
    const seen = Number(await run([process.execPath, '-p', 'Date.now()'], clock.launch.environment));
    const ahead = seen - Date.now();
    return Math.abs(ahead - HOUR_S * 1_000) < 60_000
      ? undefined
      : `${library} does not set the clock of Node: it is ${ahead} ms ahead instead of an hour`;
  },
  start: async ({ etcd }) => {
    const clock = new WorkerClock(findLibrary() ?? NAME);
    const jumping =
      (seconds: number): Fault =>
      async ({ hold }) => {
        clock.set(seconds);
        await hold(LONG);
        clock.set(0);
      };
    return startProxied({
      cluster: { version: etcd },
      workers: clock.launch,
      faults: { 'clock an hour ahead': jumping(HOUR_S), 'clock an hour behind': jumping(-HOUR_S) },
      beside: clock,
    });
  },
};

/** What workers see when they look at the wall clock: https://github.com/wolfcw/libfaketime */
export class WorkerClock implements AsyncDisposable {
  readonly launch: WorkerLaunch;
  readonly #folder = mkdtempSync(join(tmpdir(), 'coord-clock-'));
  readonly #file = join(this.#folder, 'offset');

  constructor(library: string) {
    this.set(0);
    this.launch = {
      launcher: [],
      environment: {
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: this.#file,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
    };
  }

  /** By so many seconds it is ahead of the true time. */
  set(seconds: number): void {
    writeFileSync(this.#file, `${seconds < 0 ? '' : '+'}${seconds}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true });
  }
}

/** Undefined: it is not here. */
export function findLibrary(): string | undefined {
  for (const folder of FOLDERS) {
    const inside = ['', ...foldersIn(folder)].map((name) => join(folder, name, 'faketime'));
    for (const each of inside) if (filesIn(each).includes(NAME)) return join(each, NAME);
  }
  return undefined;
}

function foldersIn(folder: string): string[] {
  return entriesIn(folder).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

function filesIn(folder: string): string[] {
  return entriesIn(folder).map(({ name }) => name);
}

function entriesIn(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
