import type { KeyValue, WaitOptions } from '@coord/client';
import { assertValid, checkWaitOptions, type IssueList, Wait } from '@coord/client/internal';
import type { ConfigCenter } from '@coord/config';
import { ackPrefix, decodeAck } from './ack-record.js';
import type { ConfigSource, RejectionPhase } from './config-manager-types.js';
import { checkTarget } from './record-target.js';

/** What one instance has in use. */
export interface AppliedInstance {
  readonly instance: string;
  /**
   * `applied`: what etcd has now. `behind`: something older, and not refused what is newer (yet).
   * `rejected`: something older, since it has refused what etcd has.
   */
  readonly state: 'applied' | 'behind' | 'rejected';
  readonly source: ConfigSource;
  /** Of the key, in use; 0 = no value of the key. */
  readonly version: number;
  readonly revision: bigint;
  /** The id of the canary that it uses in the place of the key's own value. */
  readonly canary: string | undefined;
  /** What it has refused last, if that is not mended. */
  readonly rejected:
    | {
        readonly phase: RejectionPhase;
        readonly version: number;
        readonly revision: bigint;
        readonly paths: readonly string[];
      }
    | undefined;
  /** When it said so, by its own clock. */
  readonly at: Date;
}

/** "Applied by N of M". */
export interface AppliedConfig {
  readonly key: string;
  /** In etcd now; 0 and 0n = the key is absent. */
  readonly version: number;
  readonly revision: bigint;
  /** Those that have it in use. */
  readonly applied: number;
  readonly total: number;
  /** By name. */
  readonly instances: readonly AppliedInstance[];
}

/**
 * Which of the running instances use what etcd has now, and which refuse it. Managers with `announce` tell it;
 * one that is gone without a word is counted for 15 s more.
 *
 * @throws {ValidationError} for a bad key @throws {CoordError} when etcd cannot be asked
 * @example
 * const { applied, total } = await appliedConfig(config, 'prod/orders/http');
 * console.log(`applied by ${applied} of ${total}`);
 */
export async function appliedConfig(
  config: ConfigCenter,
  key: string,
  options?: WaitOptions,
): Promise<AppliedConfig> {
  const issues: IssueList = [];
  const { center, key: name } = checkTarget(issues, config, key);
  assertValid(checkWaitOptions(issues, options));
  using wait = new Wait(options, `config "${name}": applied by whom`);
  const prefix = ackPrefix(center.recordRoot, name);
  const { changes, others } = await center.readTogether([name], [{ prefix }], wait.signal).catch((error) => {
    throw wait.errorFor(error);
  });
  const [now] = changes;
  const revision = now === undefined || now.type === 'delete' ? 0n : now.revision;
  const version = revision === 0n ? 0 : (now?.version ?? 0);
  const instances = (others[0] ?? []).flatMap((kv) => toInstance(kv, prefix, revision));
  const applied = instances.filter(({ state }) => state === 'applied').length;
  return { key: name, version, revision, applied, total: instances.length, instances };
}

function toInstance(kv: KeyValue, prefix: string, now: bigint): AppliedInstance[] {
  const ack = decodeAck(kv.text());
  if (ack === undefined) return [];
  const { source, version, canary, rejected } = ack;
  const revision = BigInt(ack.revision);
  return [
    {
      instance: kv.key.slice(prefix.length),
      state: rejected !== undefined ? 'rejected' : revision === now ? 'applied' : 'behind',
      source,
      version,
      revision,
      canary,
      rejected: rejected && { ...rejected, revision: BigInt(rejected.revision) },
      at: new Date(ack.at),
    },
  ];
}
