import { randomUUID } from 'node:crypto';
import { ConflictError, NotFoundError, type WaitOptions } from '@coord/client';
import {
  assertValid,
  checkWaitFields,
  checkWaitOptions,
  type IssueList,
  type NamesOf,
  readInput,
  readOptions,
  show,
  WAIT_NAMES,
  Wait,
} from '@coord/client/internal';
import type { ConfigCenter } from '@coord/config';
import { type Content, encodeContent } from '@coord/config/internal';
import {
  type CanaryHeader,
  type CanaryRecord,
  type CanaryRule,
  canaryKey,
  decodeCanary,
  encodeCanary,
  isLabels,
} from './canary-record.js';
import { assertNotEncrypted, checkTarget, type RecordTarget } from './record-target.js';

export interface CanaryOptions extends WaitOptions, CanaryRule {
  /** Who. */
  readonly author?: string | undefined;
  /** Why. */
  readonly comment?: string | undefined;
}

type Annotations = Pick<CanaryOptions, 'author' | 'comment'>;
type PromoteOptions = WaitOptions & Annotations;

/** A value that some instances use in the place of the key's own. */
export interface ConfigCanary extends CanaryRule {
  readonly id: string;
  readonly key: string;
  readonly value: unknown;
  readonly author: string | undefined;
  readonly comment: string | undefined;
  readonly startedAt: Date;
  /**
   * Another share of the instances, or other labels; those who are in stay in when the share grows.
   * @throws {ConflictError} when the canary has changed or is over @throws {ValidationError} for a bad rule
   */
  resize(rule: CanaryRule, options?: WaitOptions): Promise<ConfigCanary>;
  /**
   * Makes it the value of the key, a new version, and ends the canary: one transaction.
   * @returns the version @throws {ConflictError} when the canary has changed or is over
   * @throws {ValidationError} when it does not fit the schema stored beside the key
   */
  promote(options?: WaitOptions & Pick<CanaryOptions, 'author' | 'comment'>): Promise<number>;
  /** Ends it: everybody uses the value of the key. @returns whether it was still this canary */
  drop(options?: WaitOptions): Promise<boolean>;
}

/**
 * Gives a value to some of the instances, in the place of the key's own: to those with certain labels, to a
 * percentage, or both. Managers with the layer `canary` follow it; the key, and who reads it with other tools, see
 * nothing of it until it is promoted. `appliedConfig` tells who uses it, and who refuses it.
 *
 * @throws {ConflictError} when the key has a canary already
 * @throws {ValidationError} for a bad key, value or rule, and for a key whose value is encrypted
 * @throws {CoordError} when etcd cannot be asked
 * @example
 * ```ts
 * import { connect } from '@coord/client';
 * import { createConfigCenter } from '@coord/config';
 * import { startCanary } from '@coord/config-manager';
 *
 * const client = await connect({ endpoints: ['127.0.0.1:2379'] });
 * const config = createConfigCenter(client);
 * await config.set('prod/orders/pool', { max: 10 });
 * let canary = await startCanary(config, 'prod/orders/pool', { max: 20 }, { percent: 5 });
 * canary = await canary.resize({ percent: 50 });
 * await canary.promote({ author: 'ada' });
 * await client.close();
 * ```
 */
export async function startCanary(
  config: ConfigCenter,
  key: string,
  value: unknown,
  given: CanaryOptions,
): Promise<ConfigCanary> {
  const issues: IssueList = [];
  const target = checkTarget(issues, config, key);
  const content = readInput('value', () => encodeContent(issues, value));
  const options = readOptions(issues, given, CANARY_NAMES);
  checkWaitFields(issues, options);
  checkRule(issues, options);
  checkAnnotations(issues, options);
  assertValid(issues);
  const { percent, labels, author, comment, signal, timeoutMs } = options;
  await assertNotEncrypted(target, { signal });
  const startedAt = Date.now();
  const header = {
    format: 1,
    id: randomUUID(),
    contentType: content.type,
    author,
    comment,
    startedAt,
  } as const;
  const record = { header: { ...header, percent, labels }, content, value };
  const revision = await write(target, record, 0n, { signal, timeoutMs });
  if (revision === undefined) {
    throw new ConflictError(`config "${target.key}" has a canary already; promote or drop it first`, { key });
  }
  return new EtcdCanary(target, { ...record, revision });
}

/**
 * The canary of a key.
 * @throws {NotFoundError} when there is none @throws {ValidationError} for a bad key, and when it cannot be read
 * @throws {CoordError} when etcd cannot be asked
 */
export async function getCanary(
  config: ConfigCenter,
  key: string,
  options?: WaitOptions,
): Promise<ConfigCanary> {
  const issues: IssueList = [];
  const target = checkTarget(issues, config, key);
  assertValid(checkWaitOptions(issues, options));
  const { client, recordRoot } = target.center;
  const found = await client.kv.get(canaryKey(recordRoot, target.key), options);
  if (found === undefined) throw new NotFoundError(`config "${target.key}" has no canary`, { key });
  return new EtcdCanary(target, decodeCanary(found));
}

class EtcdCanary implements ConfigCanary {
  readonly id: string;
  readonly key: string;
  readonly value: unknown;
  readonly percent: number | undefined;
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly author: string | undefined;
  readonly comment: string | undefined;
  readonly startedAt: Date;
  readonly #target: RecordTarget;
  readonly #record: CanaryRecord;

  constructor(target: RecordTarget, record: CanaryRecord) {
    const { id, percent, labels, author, comment, startedAt } = record.header;
    this.id = id;
    this.key = target.key;
    this.value = record.value;
    this.percent = percent;
    this.labels = labels;
    this.author = author;
    this.comment = comment;
    this.startedAt = new Date(startedAt);
    this.#target = target;
    this.#record = record;
  }

  async resize(rule: CanaryRule, options?: WaitOptions): Promise<ConfigCanary> {
    const issues: IssueList = [];
    const { percent, labels } = readOptions(issues, rule, RULE_NAMES);
    checkRule(issues, { percent, labels });
    assertValid(checkWaitOptions(issues, options));
    const record = { ...this.#record, header: { ...this.#record.header, percent, labels } };
    const revision = await write(this.#target, record, this.#record.revision, options);
    if (revision === undefined) throw this.#changed();
    return new EtcdCanary(this.#target, { ...record, revision });
  }

  async promote(given?: PromoteOptions): Promise<number> {
    const issues: IssueList = [];
    const options = readOptions(issues, given, PROMOTE_NAMES);
    checkAnnotations(issues, options);
    assertValid(checkWaitFields(issues, options));
    const { author = this.author, comment = this.comment } = options;
    const { center, key } = this.#target;
    const etcdKey = canaryKey(center.recordRoot, key);
    const { content, revision } = this.#record;
    using wait = new Wait(options, `config "${key}": promote the canary`);
    const alongside = {
      compare: [{ key: etcdKey, target: 'mod', is: '=', to: revision } as const],
      success: [{ delete: etcdKey }],
    };
    try {
      const done = await center.setAlongside(key, { content, author, comment }, alongside, wait.signal);
      return done.meta?.version ?? 0;
    } catch (error) {
      throw error instanceof ConflictError ? this.#changed() : wait.errorFor(error);
    }
  }

  async drop(options?: WaitOptions): Promise<boolean> {
    assertValid(checkWaitOptions([], options));
    const { center, key } = this.#target;
    const etcdKey = canaryKey(center.recordRoot, key);
    const { succeeded } = await center.client.kv.txn(
      {
        compare: [{ key: etcdKey, target: 'mod', is: '=', to: this.#record.revision }],
        success: [{ delete: etcdKey }],
      },
      options,
    );
    return succeeded;
  }

  #changed(): ConflictError {
    const { key } = this;
    return new ConflictError(`config "${key}": the canary has changed or is over; read it again`, { key });
  }
}

/**
 * Guarded, so it is sent again when its answer is lost: then it finds that it is there already.
 * @returns the revision; undefined when the record is not as it was to be
 */
async function write(
  { center, key }: RecordTarget,
  { header, content }: { readonly header: CanaryHeader; readonly content: Content },
  before: bigint,
  options: WaitOptions | undefined,
): Promise<bigint | undefined> {
  const etcdKey = canaryKey(center.recordRoot, key);
  const value = encodeCanary(header, content);
  const { succeeded, revision, responses } = await center.client.kv.txn(
    {
      compare: [{ key: etcdKey, target: 'mod', is: '=', to: before }],
      success: [{ put: { key: etcdKey, value } }],
      failure: [{ get: etcdKey }],
    },
    { ...options, idempotent: true },
  );
  if (succeeded) return revision;
  const [answer] = responses;
  const found = answer?.type === 'get' ? answer.kvs[0] : undefined;
  return found !== undefined && Buffer.compare(found.value, value) === 0 ? found.modRevision : undefined;
}

const ANNOTATIONS = { author: true, comment: true } satisfies NamesOf<Annotations>;
const RULE_NAMES = { percent: true, labels: true } satisfies NamesOf<CanaryRule>;
const PROMOTE_NAMES = { ...WAIT_NAMES, ...ANNOTATIONS } satisfies NamesOf<PromoteOptions>;
const CANARY_NAMES = { ...PROMOTE_NAMES, ...RULE_NAMES } satisfies NamesOf<CanaryOptions>;

function checkRule(issues: IssueList, { percent, labels }: CanaryRule): void {
  if (percent === undefined && labels === undefined) {
    issues.push({ path: 'percent', message: 'percent or labels must be given' });
  }
  if (percent !== undefined && !(typeof percent === 'number' && percent >= 0 && percent <= 100)) {
    issues.push({ path: 'percent', message: `must be a number from 0 to 100, got ${show(percent)}` });
  }
  if (
    labels !== undefined &&
    !readInput('labels', () => isLabels(labels) && Object.keys(labels).length > 0)
  ) {
    issues.push({ path: 'labels', message: 'must be an object of strings, at least one' });
  }
}

function checkAnnotations(issues: IssueList, { author, comment }: Annotations): void {
  for (const [path, text] of Object.entries({ author, comment })) {
    if (text === undefined || (typeof text === 'string' && text.length <= 1_000)) continue;
    issues.push({ path, message: `must be a string of at most 1000 characters, got ${show(text)}` });
  }
}
