import type { ValidationIssue } from '@coord/client';
import { assertValid, checkKeyPart, checkPositiveMs, type IssueList, show } from '@coord/client/internal';
import type { ConfigCenter } from '@coord/config';
import { checkSchema } from '@coord/config/internal';
import type { StandardSchemaV1 } from '@standard-schema/spec';

export interface UpdateContext {
  /** Aborts when the step has taken too long, and when the manager is being stopped. */
  readonly signal: AbortSignal;
}

/** Checks what a schema cannot. Nothing returned = good; a message, issues, or a throw = refused. */
export type ConfigValidator<T> = (
  next: Readonly<T>,
  context: UpdateContext,
) => ValidatorResult | Promise<ValidatorResult>;

// biome-ignore lint/suspicious/noConfusingVoidType: a validator that finds nothing returns nothing
export type ValidatorResult = void | undefined | string | readonly ValidationIssue[];

/** Called before the swap. A throw keeps the present configuration, so do only what can be left as it is. */
export type UpdateFunction<T> = (
  next: Readonly<T>,
  previous: Readonly<T>,
  context: UpdateContext,
) => void | Promise<void>;

/**
 * Two phases: build the new before the swap, put it to use after it.
 */
export interface TwoPhaseUpdater<T> {
  /** Before the swap: build what `next` needs. A throw keeps the present configuration. */
  readonly prepare?: UpdateFunction<T> | undefined;
  /** After the swap: use the new, discard the old. A throw is reported; the new configuration stays. */
  readonly commit?: UpdateFunction<T> | undefined;
  /** A later updater refused: discard what `prepare` built for `next`. Not called for a failed `prepare`. */
  readonly rollback?: UpdateFunction<T> | undefined;
}

export type ConfigUpdater<T> = UpdateFunction<T> | TwoPhaseUpdater<T>;

export interface ConfigManagerOptions<T> {
  readonly config: ConfigCenter;
  /** The key in the centre is `<env>/<service>/<component>`; parts without "/". */
  readonly env: string;
  readonly service: string;
  readonly component: string;
  /** What holds where the centre says nothing. The value in the centre may be partial and is laid over it. */
  readonly defaults: T;
  /** Checks the merged configuration and makes the final one of it. Any Standard Schema. */
  readonly schema?: StandardSchemaV1<unknown, T> | undefined;
  readonly validate?: ConfigValidator<T> | readonly ConfigValidator<T>[] | undefined;
  /** Called in order, before subscribers. */
  readonly onUpdate?: ConfigUpdater<T> | readonly ConfigUpdater<T>[] | undefined;
  /** When the key is deleted: go on with the present configuration, or go back to the defaults. @default 'keep' */
  readonly onDelete?: 'keep' | 'default' | undefined;
  /** How long `start` waits for etcd before it goes on with the snapshot or the defaults. @default 5_000 */
  readonly startTimeoutMs?: number | undefined;
  /** How long a single validator or updater may take. @default 30_000 */
  readonly updateTimeoutMs?: number | undefined;
  /** When to try a failed updater again, after each failure. Unless its error has `retryable: false`. @default [1_000, 5_000, 30_000] */
  readonly retryDelaysMs?: readonly number[] | undefined;
  /** True: `start` rejects when neither etcd nor the snapshot has a valid configuration. @default false */
  readonly required?: boolean | undefined;
  /**
   * True: the key is `config/<env>/<service>/<component>`. The manager of the Go original adds its prefix
   * twice, so that its values are at `/config/config/…` in etcd. @default false
   */
  readonly goManagerCompat?: boolean | undefined;
  /** A file that keeps the last good value, for starts without etcd. Mode 0600; its folder must exist. */
  readonly snapshotFile?: string | undefined;
}

export interface ResolvedConfigManagerOptions<T> {
  readonly config: ConfigCenter;
  readonly key: string;
  readonly defaults: T;
  readonly schema: StandardSchemaV1<unknown, T> | undefined;
  readonly validators: readonly ConfigValidator<T>[];
  readonly updaters: readonly TwoPhaseUpdater<T>[];
  readonly onDelete: 'keep' | 'default';
  readonly startTimeoutMs: number;
  readonly updateTimeoutMs: number;
  readonly retryDelaysMs: readonly number[];
  readonly required: boolean;
  readonly snapshotFile: string | undefined;
}

/** @throws {ValidationError} naming every bad option */
export function resolveOptions<T>(options: ConfigManagerOptions<T>): ResolvedConfigManagerOptions<T> {
  if (typeof options !== 'object' || options === null) {
    assertValid([{ path: 'options', message: `must be an object, got ${show(options)}` }]);
  }
  const resolved = {
    config: options.config,
    key: `${options.goManagerCompat ? 'config/' : ''}${options.env}/${options.service}/${options.component}`,
    defaults: options.defaults,
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
  const issues: IssueList = [];
  if (typeof options.config?.watch !== 'function') {
    issues.push({ path: 'config', message: `must be a config centre, got ${show(options.config)}` });
  }
  for (const name of ['env', 'service', 'component'] as const) checkKeyPart(issues, name, options[name]);
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
  for (const name of ['required', 'goManagerCompat'] as const) {
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
    (typeof snapshotFile !== 'string' || snapshotFile === '' || snapshotFile.includes('\0'))
  ) {
    issues.push({ path: 'snapshotFile', message: `must be the path of a file, got ${show(snapshotFile)}` });
  }
  assertValid(issues);
  return Object.freeze({ ...resolved, retryDelaysMs: [...resolved.retryDelaysMs] });
}

/** A misspelt phase would silently never be called. */
function checkUpdater(issues: IssueList, path: string, updater: unknown): void {
  if (typeof updater !== 'object' || updater === null) {
    issues.push({ path, message: 'must be a function or { prepare, commit, rollback }' });
    return;
  }
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
