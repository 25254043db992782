import { execFile } from 'node:child_process';
import { lstat, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT, readJson } from './tarballs.js';

export type PackageManager = 'npm' | 'pnpm';

export interface ProgramEnd {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What was found in node_modules. */
export interface Installed {
  /** The name of each package, once for each copy, in order. */
  readonly names: readonly string[];
  readonly bytes: number;
}

/** The project of a user: a folder outside of the workspace that was empty at first. */
export class Project implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * @param registry where packages of Coord come from; all others come from where they always do
   * @param settings further lines for .npmrc
   */
  static async create(registry: string, settings: readonly string[] = []): Promise<Project> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'coord project ')));
    const project = new Project(folder);
    await project.write('.npmrc', [`@coord:registry=${registry}`, ...settings, ''].join('\n'));
    return project;
  }

  async write(path: string, content: string): Promise<void> {
    await mkdir(dirname(join(this.folder, path)), { recursive: true });
    await writeFile(join(this.folder, path), content);
  }

  /** Runs `npm install` or `pnpm add`. */
  async install(
    manager: PackageManager,
    packages: readonly string[],
    flags: readonly string[] = [],
  ): Promise<ProgramEnd> {
    const verb = manager === 'npm' ? 'install' : 'add';
    return this.#call(manager, [verb, ...flags, ...packages]);
  }

  /** Runs a command as it is typed. */
  async type(command: string): Promise<ProgramEnd> {
    return run('sh', ['-c', command], this.folder);
  }

  /** Runs a Node.js program here; `node` is the path of another Node.js. */
  async node(
    args: readonly string[],
    { node = process.execPath, env = {} }: NodeOptions = {},
  ): Promise<ProgramEnd> {
    return run(node, args, this.folder, env);
  }

  /** Compiles with the compiler of the workspace. @param config a tsconfig.json in this project */
  async compile(config: string): Promise<ProgramEnd> {
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    return this.node([tsc, '-p', config, '--pretty', 'false']);
  }

  async installed(): Promise<Installed> {
    const names: string[] = [];
    const bytes = await sizeOf(join(this.folder, 'node_modules'), names);
    return { names: names.sort(), bytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  #call(manager: PackageManager, args: readonly string[]): Promise<ProgramEnd> {
    if (manager === 'npm') return run('npm', args, this.folder);
    return run(
      process.execPath,
      [join(ROOT, 'node_modules', 'pnpm', 'bin', 'pnpm.cjs'), ...args],
      this.folder,
    );
  }
}

/** @throws {Error} with the output when the program did not succeed */
export async function succeed(program: Promise<ProgramEnd>): Promise<ProgramEnd> {
  const end = await program;
  if (end.code !== 0) throw new Error(`exit code ${end.code}\n${end.stdout}\n${end.stderr}`);
  return end;
}

interface NodeOptions {
  readonly node?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Lines for .npmrc: caches that projects of one run share, and that go with its folder. */
export function caches(folder: string): string[] {
  const cache = join(folder, 'cache');
  return [
    `cache=${join(cache, 'npm')}`,
    `store-dir=${join(cache, 'store')}`,
    `cache-dir=${join(cache, 'pnpm')}`,
  ];
}

/** How long a program may take: one that does not end by itself is a failure, too. */
const PROGRAM_TIMEOUT_MS = 120_000;

async function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ProgramEnd> {
  const options = {
    cwd,
    env: { ...ownEnvironment(), ...env },
    timeout: PROGRAM_TIMEOUT_MS,
    maxBuffer: 16 * 1024 * 1024,
  };
  try {
    return { code: 0, ...(await promisify(execFile)(command, args, options)) };
  } catch (error) {
    if (!isProgramEnd(error)) throw error;
    return { code: error.killed ? -1 : error.code, stdout: error.stdout, stderr: error.stderr };
  }
}

function isProgramEnd(error: unknown): error is ProgramEnd & { readonly killed: boolean } {
  return (
    error instanceof Error &&
    'stdout' in error &&
    'killed' in error &&
    'code' in error &&
    error.code !== 'ENOENT'
  );
}

/** The environment without what the commands of this workspace, npm and vitest have put there. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const foreign =
    /^(npm_|pnpm_|COORD_|VITEST|NODE_ENV$|NODE_OPTIONS$|NODE_PATH$|INIT_CWD$|TEST$|DEV$|PROD$|MODE$)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

/** The size of everything in a node_modules folder; links lead to what is counted elsewhere in it. */
async function sizeOf(folder: string, names: string[]): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isFile()) bytes += (await lstat(path)).size;
    if (!entry.isDirectory()) continue;
    const parent = folder.replaceAll('\\', '/');
    if (/\/node_modules(\/@[^/]+)?$/.test(parent) && !/^[.@]/.test(entry.name)) {
      names.push((await readJson<{ name: string }>(join(path, 'package.json'))).name);
    }
    bytes += await sizeOf(path, names);
  }
  return bytes;
}
