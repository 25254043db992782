import {
  assertValid,
  checkKeyPart,
  checkNames,
  checkPositiveMs,
  type IssueList,
  type NamesOf,
  type OptionNames,
  readInput,
  readOptions,
  show,
} from '@coord/client/internal';
import { checkSchema, internalsOfCenter } from '@coord/config/internal';
import { isLabels } from './canary-record.js';
import { copy } from './deep-merge.js';
import { type ConfigLayer, LAYERS } from './layer.js';
import type { LayerKeys } from './layered-source.js';
import type {
  ConfigManagerOptions,
  ConfigUpdater,
  ConfigValidator,
  ResolvedConfigManagerOptions,
} from './options.js';

const NAMES = {
  config: true,
  env: true,
  service: true,
  component: true,
  layers: true,
  instance: true,
  announce: true,
  labels: true,
  defaults: true,
  schema: true,
  validate: true,
  onUpdate: true,
  onDelete: true,
  startTimeoutMs: true,
  updateTimeoutMs: true,
  retryDelaysMs: true,
  required: true,
  goManagerCompat: true,
  snapshotFile: true,
} satisfies NamesOf<ConfigManagerOptions<unknown>>;

/** @throws {ValidationError} naming every bad option, also one that does not exist */
export function resolveOptions<T>(given: ConfigManagerOptions<T>): ResolvedConfigManagerOptions<T> {
  const issues: IssueList = [];
  const options = readOptions(issues, given, NAMES);
  return readInput('options', () => resolve(issues, options));
}

function resolve<T>(issues: IssueList, options: ConfigManagerOptions<T>): ResolvedConfigManagerOptions<T> {
  const resolved = {
    config: options.config,
    key: serviceKey(asTexts(options)),
    layers: layerKeys(asTexts(options), options.layers ?? []),
    instance: options.instance,
    announce: options.announce ?? false,
    defaults: readInput('defaults', () => copy(options.defaults)) as T, // the caller may change his
    schema: options.schema,
    validators: asArray<ConfigValidator<T>>(options.validate),
    updaters: asArray<ConfigUpdater<T>>(options.onUpdate).map((updater) =>
      typeof updater === 'function' ? { prepare: updater } : updater,
    ),
    onDelete: options.onDelete ?? 'keep',
    startTimeoutMs: options.startTimeoutMs ?? 5_000,
    updateTimeoutMs: options.updateTimeoutMs ?? 30_000,
    retryDelaysMs: options.retryDelaysMs ?? [1_000, 5_000, 30_000],
    required: options.required ?? false,
    snapshotFile: options.snapshotFile,
  };
  if (!readInput('config', () => typeof options.config?.watch === 'function')) {
    issues.push({ path: 'config', message: `must be a config centre, got ${show(options.config)}` });
  }
  for (const name of ['env', 'service', 'component'] as const) checkKeyPart(issues, name, options[name]);
  checkLayers(issues, options);
  if (options.defaults === undefined) issues.push({ path: 'defaults', message: 'must be given' });
  checkSchema(issues, options.schema);
  for (const [index, validator] of resolved.validators.entries()) {
    if (typeof validator !== 'function')
      issues.push({ path: `validate[${index}]`, message: 'must be a function' });
  }
  for (const [index, updater] of resolved.updaters.entries())
    checkUpdater(issues, `onUpdate[${index}]`, updater);
  if (resolved.onDelete !== 'keep' && resolved.onDelete !== 'default') {
    issues.push({ path: 'onDelete', message: `must be 'keep' or 'default', got ${show(resolved.onDelete)}` });
  }
  for (const name of ['announce', 'required', 'goManagerCompat'] as const) {
    const value = options[name];
    if (value !== undefined && typeof value !== 'boolean')
      issues.push({ path: name, message: `must be true or false, got ${show(value)}` });
  }
  checkPositiveMs(issues, 'startTimeoutMs', resolved.startTimeoutMs);
  checkPositiveMs(issues, 'updateTimeoutMs', resolved.updateTimeoutMs);
  if (!Array.isArray(resolved.retryDelaysMs)) {
    const message = `must be a list of milliseconds, got ${show(resolved.retryDelaysMs)}`;
    issues.push({ path: 'retryDelaysMs', message });
  } else {
    for (const [index, ms] of resolved.retryDelaysMs.entries())
      checkPositiveMs(issues, `retryDelaysMs[${index}]`, ms);
  }
  const { snapshotFile } = resolved;
  if (
    snapshotFile !== undefined &&
    (typeof snapshotFile !== 'string' ||
      snapshotFile === '' ||
      !snapshotFile.isWellFormed() ||
      snapshotFile.includes('\0'))
  ) {
    issues.push({ path: 'snapshotFile', message: `must be the path of a file, got ${show(snapshotFile)}` });
  }
  assertValid(issues);
  return Object.freeze({ ...resolved, retryDelaysMs: [...resolved.retryDelaysMs] });
}

/** What is no text is refused, but must not fail before. */
function asTexts<T>(options: ConfigManagerOptions<T>): ConfigManagerOptions<T> {
  const text = (value: unknown) => (typeof value === 'string' ? value : '');
  const { env, service, component, instance } = options;
  return {
    ...options,
    env: text(env),
    service: text(service),
    component: text(component),
    instance: instance === undefined ? undefined : text(instance),
  };
}

function serviceKey<T>({ goManagerCompat, env, service, component }: ConfigManagerOptions<T>): string {
  return `${goManagerCompat ? 'config/' : ''}${env}/${service}/${component}`;
}

function layerKeys<T>(options: ConfigManagerOptions<T>, wanted: readonly ConfigLayer[]): LayerKeys {
  const { instance, labels = {} } = options;
  const key = serviceKey(options);
  const keyOf = {
    shared: serviceKey({ ...options, service: '_shared' }),
    service: key,
    instance: `${key}/_instances/${instance}`,
  };
  const names = (['shared', 'service', 'instance'] as const).filter(
    (layer) => layer === 'service' || (Array.isArray(wanted) && wanted.includes(layer)),
  );
  return {
    keys: names.map((layer) => ({ layer, key: keyOf[layer] })),
    overridesOf: Array.isArray(wanted) && wanted.includes('override') ? key : undefined,
    canaryOf: Array.isArray(wanted) && wanted.includes('canary') ? key : undefined,
    traits: { instance, labels: { ...labels } },
  };
}

function checkLayers<T>(issues: IssueList, options: ConfigManagerOptions<T>): void {
  const { config, layers = [], instance, labels, announce } = options;
  if (labels !== undefined && !isLabels(labels)) {
    issues.push({ path: 'labels', message: 'must be an object of strings' });
  }
  if (instance !== undefined) checkKeyPart(issues, 'instance', instance);
  if (!Array.isArray(layers)) {
    issues.push({ path: 'layers', message: `must be a list, got ${show(layers)}` });
    return;
  }
  for (const [index, layer] of layers.entries()) {
    if (LAYERS.includes(layer)) continue;
    issues.push({
      path: `layers[${index}]`,
      message: `must be one of ${LAYERS.join(', ')}, got ${show(layer)}`,
    });
  }
  if ((announce || layers.includes('instance')) && instance === undefined) {
    issues.push({ path: 'instance', message: 'must be given for the layer instance, and to announce' });
  }
  const needsRecords = announce || layers.some((layer) => layer !== 'service');
  if (
    needsRecords &&
    typeof config === 'object' &&
    config !== null &&
    internalsOfCenter(config) === undefined
  ) {
    const message = 'must be made by createConfigCenter() to follow several layers, and to announce';
    issues.push({ path: 'config', message });
  }
}

const PHASES: OptionNames = { prepare: true, commit: true, rollback: true };

/** A misspelt phase would silently never be called. */
function checkUpdater(issues: IssueList, path: string, updater: unknown): void {
  readInput(path, () => checkPhases(issues, path, updater));
}

function checkPhases(issues: IssueList, path: string, updater: unknown): void {
  if (typeof updater !== 'object' || updater === null) {
    issues.push({ path, message: 'must be a function or { prepare, commit, rollback }' });
    return;
  }
  checkNames(issues, updater, PHASES, `${path}.`);
  const phases = ['prepare', 'commit', 'rollback'].map((name) => [name, Reflect.get(updater, name)] as const);
  for (const [name, phase] of phases) {
    if (phase !== undefined && typeof phase !== 'function')
      issues.push({ path: `${path}.${name}`, message: `must be a function, got ${show(phase)}` });
  }
  if (phases.every(([, phase]) => phase === undefined))
    issues.push({ path, message: 'has neither prepare nor commit nor rollback' });
}

function asArray<E>(oneOrMany: E | readonly E[] | undefined): readonly E[] {
  if (oneOrMany === undefined) return [];
  return isArray(oneOrMany) ? oneOrMany : [oneOrMany];
}

/** `Array.isArray` does not narrow readonly arrays. */
function isArray<E>(value: E | readonly E[]): value is readonly E[] {
  return Array.isArray(value);
}
