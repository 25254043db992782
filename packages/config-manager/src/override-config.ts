import { randomUUID } from 'node:crypto';
import type { KeyValue, WaitOptions } from '@coord/client';
import {
  assertValid,
  checkKeyPart,
  checkPositiveMs,
  checkWaitFields,
  checkWaitOptions,
  type IssueList,
  type NamesOf,
  readInput,
  readOptions,
  show,
  WAIT_NAMES,
} from '@coord/client/internal';
import type { ConfigCenter } from '@coord/config';
import { encodeContent } from '@coord/config/internal';
import { decodeOverride, encodeOverride, type Override, overridePrefix } from './override-record.js';
import { assertNotEncrypted, checkTarget, type RecordTarget } from './record-target.js';

export interface OverrideConfigOptions extends WaitOptions {
  /** How long it holds, in milliseconds, rounded up to whole seconds. */
  readonly ttlMs: number;
  /** Only for the manager with this `instance`. @default all */
  readonly instance?: string | undefined;
  /** Who. */
  readonly author?: string | undefined;
  /** Why. */
  readonly comment?: string | undefined;
}

/** A value laid over a key for a while. */
export interface ConfigOverride {
  readonly id: string;
  readonly key: string;
  readonly value: unknown;
  readonly instance: string | undefined;
  readonly author: string | undefined;
  readonly comment: string | undefined;
  /** About when it ends by itself, by the clock of who made it. */
  readonly expiresAt: Date;
  /**
   * Ends it before its time. @returns whether it still held
   * @throws {CoordError} when etcd cannot be asked; it ends by itself in time
   */
  end(options?: WaitOptions): Promise<boolean>;
}

/**
 * Lays a value over a key for a while: "debug for 30 minutes". It goes with its lease, even if nobody is left to
 * take it back. Managers with the layer `override` follow it; the key itself, and who reads it, see nothing of it.
 *
 * @param value may be partial, as that of any layer
 * @throws {ValidationError} for a bad key, value or option
 * @throws {CoordError} when etcd cannot be asked
 * @example
 * ```ts
 * import { connect } from '@coord/client';
 * import { createConfigCenter } from '@coord/config';
 * import { overrideConfig } from '@coord/config-manager';
 *
 * const client = await connect({ endpoints: ['127.0.0.1:2379'] });
 * const config = createConfigCenter(client);
 * const options = { ttlMs: 30 * 60_000, author: 'ada', comment: 'orders get lost' };
 * const override = await overrideConfig(config, 'prod/orders/log', { level: 'debug' }, options);
 * await override.end();
 * await client.close();
 * ```
 */
export async function overrideConfig(
  config: ConfigCenter,
  key: string,
  value: unknown,
  given: OverrideConfigOptions,
): Promise<ConfigOverride> {
  const issues: IssueList = [];
  const target = checkTarget(issues, config, key);
  const content = readInput('value', () => encodeContent(issues, value));
  const options = readOptions(issues, given, NAMES);
  checkOptions(issues, options);
  assertValid(issues);
  const { ttlMs, instance, author, comment, ...wait } = options;
  await assertNotEncrypted(target, wait);
  const { client, recordRoot } = target.center;
  const session = await client.session({ ...wait, ttlMs });
  const id = randomUUID();
  const etcdKey = overridePrefix(recordRoot, target.key) + id;
  const expiresAt = Date.now() + session.ttlMs;
  const header = { format: 1, contentType: content.type, instance, author, comment, expiresAt } as const;
  try {
    await client.kv.put(etcdKey, encodeOverride(header, content), { ...wait, session });
  } catch (error) {
    await session.close().catch(() => undefined); // takes the key with it, if it was written after all
    throw error;
  }
  session.orphan(); // nobody keeps the lease alive: it ends in time
  return toConfigOverride(target, { id, header, value });
}

/**
 * The overrides of a key that hold now, the oldest first: each is laid over those before it.
 * @throws {ValidationError} for a bad key @throws {CoordError} when etcd cannot be asked
 */
export async function listOverrides(
  config: ConfigCenter,
  key: string,
  options?: WaitOptions,
): Promise<ConfigOverride[]> {
  const issues: IssueList = [];
  const target = checkTarget(issues, config, key);
  assertValid(checkWaitOptions(issues, options));
  const { client, recordRoot } = target.center;
  const prefix = overridePrefix(recordRoot, target.key);
  const found: KeyValue[] = [];
  for await (const kv of client.kv.list({ prefix }, options)) found.push(kv);
  found.sort((a, b) => (a.createRevision < b.createRevision ? -1 : 1));
  return found.map((kv) => toConfigOverride(target, decodeOverride(kv)));
}

function toConfigOverride(
  { center, key }: RecordTarget,
  { id, header, value }: Omit<Override, 'revision'>,
): ConfigOverride {
  const { instance, author, comment, expiresAt } = header;
  const etcdKey = overridePrefix(center.recordRoot, key) + id;
  const end = async (options?: WaitOptions) => {
    assertValid(checkWaitOptions([], options));
    return (await center.client.kv.delete(etcdKey, options)).deleted > 0;
  };
  return { id, key, value, instance, author, comment, expiresAt: new Date(expiresAt), end };
}

const NAMES = {
  ...WAIT_NAMES,
  ttlMs: true,
  instance: true,
  author: true,
  comment: true,
} satisfies NamesOf<OverrideConfigOptions>;

function checkOptions(issues: IssueList, options: OverrideConfigOptions): void {
  checkWaitFields(issues, options);
  checkPositiveMs(issues, 'ttlMs', options.ttlMs);
  if (options.instance !== undefined) checkKeyPart(issues, 'instance', options.instance);
  for (const name of ['author', 'comment'] as const) {
    const text = options[name];
    if (text === undefined || (typeof text === 'string' && text.length <= 1_000)) continue;
    issues.push({ path: name, message: `must be a string of at most 1000 characters, got ${show(text)}` });
  }
}
