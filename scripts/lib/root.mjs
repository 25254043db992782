import { readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the clone; every command runs there. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Caches of the workspace's own commands, inside the clone and ignored by git. */
export const CACHE = join(ROOT, '.cache');

/** The file in the clone with the given path. */
export const inRoot = (...parts) => join(ROOT, ...parts);

export function readJson(...parts) {
  return JSON.parse(readFileSync(inRoot(...parts), 'utf8'));
}

/** The JavaScript entry of a program that a package installed at the root brings along. */
export function toolEntry(packageName, program = packageName.split('/').pop()) {
  return inRoot(
    'node_modules',
    packageName,
    readJson('node_modules', packageName, 'package.json').bin[program],
  );
}

/** What every child finds in its environment: the workspace's tools on PATH, and no telemetry. */
export function childEnvironment(extra = {}) {
  const pathName = Object.keys(process.env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH';
  return {
    ...process.env,
    [pathName]: [inRoot('node_modules', '.bin'), process.env[pathName]].filter(Boolean).join(delimiter),
    DO_NOT_TRACK: '1',
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
    npm_config_update_notifier: 'false',
    ...extra,
  };
}
