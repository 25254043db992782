import { ValidationError } from '@coord/client';
import { type IssueList, readInput, show } from '@coord/client/internal';
import type { CoordConfig, CoordConfigInput } from './config.js';
import { checkVariableNames } from './env-names.js';
import { PRESET_VARIABLE, VARIABLES, type VariableTree, variableOf } from './env-variables.js';
import { defaultConfig, developmentConfig, productionConfig, testConfig } from './presets.js';

/** Variables by name, as `process.env` holds them. */
type Environment = Readonly<Record<string, string | undefined>>;

const PRESETS = new Map([
  ['default', defaultConfig],
  ['development', developmentConfig],
  ['production', productionConfig],
  ['test', testConfig],
]);

/**
 * A configuration from environment variables. `COORD_PRESET` (`default`, `development`, `production` or `test`)
 * chooses what holds where nothing is given; each option has a variable of its own name: `COORD_ENDPOINTS` (separated by
 * commas), `COORD_REQUEST_TIMEOUT_MS`, `COORD_TLS_CA_FILE`, `COORD_DISTRIBUTED_LOCK_DEFAULT_TTL_MS`. An empty
 * variable counts as not given. What is no text or number can be given in code only: `logger`, `codec`, `encryption`.
 *
 * @param env where to read. @default process.env
 * @throws {ValidationError} with every problem, each with its variable as the path; also for a variable that is
 *   almost named as one of these, and for `production` without endpoints. Passwords are never shown.
 * @example
 * ```ts
 * import { configFromEnv } from '@coord/core';
 *
 * const config = configFromEnv({ COORD_PRESET: 'production', COORD_ENDPOINTS: 'etcd-1:2379,etcd-2:2379' });
 * console.log(config.endpoints, config.requestTimeoutMs); // [ 'etcd-1:2379', 'etcd-2:2379' ] 10000
 * ```
 */
export function configFromEnv(env: Environment = process.env): CoordConfig {
  if (typeof env !== 'object' || env === null) {
    throw new ValidationError([{ path: 'env', message: `must be an object, got ${show(env)}` }]);
  }
  return readInput('env', () => read(env));
}

function read(env: Environment): CoordConfig {
  const issues: IssueList = [];
  checkVariableNames(issues, env);
  const preset = readPreset(issues, env);
  const given = readTree(issues, env, VARIABLES);
  const config = build(issues, () => preset(given));
  if (config?.endpoints.length === 0) {
    issues.push({
      path: variableOf('endpoints'),
      message: 'must be given: in production there is no default',
    });
  }
  if (config === undefined || issues.length > 0) throw new ValidationError(issues);
  return config;
}

function readPreset(issues: IssueList, env: Environment): typeof defaultConfig {
  const name = env[PRESET_VARIABLE]?.trim().toLowerCase() || 'default';
  const preset = PRESETS.get(name);
  if (preset === undefined) {
    const message = `must be one of ${[...PRESETS.keys()].join(', ')}, got ${show(name)}`;
    issues.push({ path: PRESET_VARIABLE, message });
  }
  return preset ?? defaultConfig;
}

function readTree(issues: IssueList, env: Environment, tree: VariableTree, prefix = ''): CoordConfigInput {
  const given = Object.entries(tree).map(([name, node]) => {
    const option = `${prefix}${name}`;
    if (node === undefined) return [name, undefined];
    if (typeof node !== 'function') {
      const section = readTree(issues, env, node, `${option}.`);
      return [name, Object.keys(section).length === 0 ? undefined : section];
    }
    const variable = variableOf(option);
    const read = node(env[variable] ?? '');
    if (read !== undefined && 'problem' in read) issues.push({ path: variable, message: read.problem });
    return [name, read !== undefined && 'value' in read ? read.value : undefined];
  });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** The parts know their options; here they have the names of variables. */
function build(issues: IssueList, make: () => CoordConfig): CoordConfig | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    for (const { path, message } of error.issues) issues.push({ path: variableOf(path), message });
    return undefined;
  }
}
