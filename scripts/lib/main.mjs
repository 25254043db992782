import { commandBuild } from './build.mjs';
import { commandLint } from './checks.mjs';
import { Interrupted, stopOnSignals } from './child.mjs';
import { commandCheckDependencies } from './dependencies.mjs';
import { commandDocs } from './docs.mjs';
import { commandFull } from './matrix.mjs';
import { commandPack } from './pack.mjs';
import { commandCheckPackages } from './packages.mjs';
import { runProgram } from './programs.mjs';
import { commandRelease } from './release.mjs';
import { Failure, reportFailure, say } from './say.mjs';
import { commandTest } from './tests.mjs';

/** Each command by name; it resolves to the exit code. */
const COMMANDS = {
  build: commandBuild,
  docs: commandDocs,
  lint: commandLint,
  test: commandTest,
  'test:full': commandFull,
  'check:dependencies': commandCheckDependencies,
  'check:packages': commandCheckPackages,
  pack: commandPack,
  release: commandRelease,
  demo: (args) => runProgram('demo', args),
  example: (args) => runProgram('example', args),
  bench: (args) => runProgram('bench', args),
  faults: (args) => runProgram('faults', args),
  soak: (args) => runProgram('soak', args),
};

/** Runs one command of the workspace and resolves to the process's exit code. */
export async function main([name, ...args]) {
  stopOnSignals();
  const command = Object.hasOwn(COMMANDS, name ?? '') ? COMMANDS[name] : undefined;
  try {
    if (!command) {
      throw new Failure(`There is no command "${name ?? ''}".`, {
        remedy: `use one of: ${Object.keys(COMMANDS)
          .map((known) => `npm run ${known}`)
          .join(', ')}`,
      });
    }
    return await command(args);
  } catch (error) {
    if (error instanceof Interrupted) {
      say('Interrupted: everything this command started has been ended.');
      return error.exitCode;
    }
    reportFailure(error);
    return 1;
  }
}
