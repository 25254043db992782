import type { Session, TxnRequest, TxnResult } from '@coord/client';
import { Refused } from '../recorder.js';
import type { UserScene } from './kind-user.js';
import { KINDS_TTL_MS, type Kind, kindKeys, PERMITS } from './kinds-names.js';

/** A planted mistake: who takes it writes its keys, and believes that it holds the lock, whoever is before it. */
export class RushedLock {
  readonly etcdKey: string;
  readonly fencingToken: bigint;
  readonly #scene: UserScene;
  readonly #session: Session;

  private constructor(scene: UserScene, session: Session, etcdKey: string, fencingToken: bigint) {
    this.#scene = scene;
    this.#session = session;
    this.etcdKey = etcdKey;
    this.fencingToken = fencingToken;
  }

  static async take(scene: UserScene, kind: Kind): Promise<RushedLock> {
    const { client, by, context } = scene;
    const session = await client.session({ ttlMs: KINDS_TTL_MS });
    const id = `${session.leaseId.toString(16)}-${by}`;
    const { requests, writers, permits } = kindKeys(context.assignment.run);
    const keys = kind === 'permit' ? [`${permits}${id}.${PERMITS}`] : [`${requests}${id}`];
    if (kind === 'write') keys.push(`${writers}${id}`);
    const success = keys.map((key) => ({ put: { key, value: '', session } }));
    const { revision } = await client.kv.txn({ success });
    return new RushedLock(scene, session, keys[0] ?? '', revision);
  }

  async txn({ success = [] }: TxnRequest): Promise<TxnResult> {
    const isOwn = { key: this.etcdKey, target: 'create', is: '=', to: this.fencingToken } as const;
    const result = await this.#scene.client.kv.txn({ compare: [isOwn], success });
    if (!result.succeeded) throw new Refused('the key is gone');
    return result;
  }

  release(): Promise<void> {
    return this.#session.close();
  }
}
