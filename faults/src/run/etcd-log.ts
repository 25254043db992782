import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CoordClient, createClient } from '@coord/client';
import { type Cluster, eventually } from '@coord/testkit';
import type { EtcdEvent } from '../etcd-event.js';
import { monotonicMicros } from '../monotonic.js';
import { seenValue } from '../seen-value.js';

/** No faster than this are streams opened anew. */
const RETRY_MS = 100;

/** etcd's own log, read past the failing lines and without the watch that is to be tested. */
export class EtcdLog implements AsyncDisposable {
  readonly #client: CoordClient;
  readonly #file: WriteStream;
  readonly #keeps: (key: string) => boolean;
  readonly #following: Promise<void>;
  readonly #stopped = new AbortController();
  readonly #present = new Set<string>();
  #next: bigint;
  #count = 0;

  private constructor(client: CoordClient, next: bigint, file: string, keeps: (key: string) => boolean) {
    this.#client = client;
    this.#next = next;
    this.#keeps = keeps;
    this.#file = createWriteStream(file);
    this.#following = this.#follow();
  }

  /** From now on, of the keys that are to be kept. */
  static async start(cluster: Cluster, file: string, keeps: (key: string) => boolean): Promise<EtcdLog> {
    const endpoints = cluster.members.map(({ directEndpoint }) => directEndpoint);
    const client = createClient({ endpoints });
    const { revision } = await eventually(() => client.kv.range('/', { limit: 1 }), { timeoutMs: 30_000 });
    return new EtcdLog(client, revision + 1n, file, keeps);
  }

  /** How many events it has. */
  get count(): number {
    return this.#count;
  }

  /** The last revision that it has come to. */
  get revision(): bigint {
    return this.#next - 1n;
  }

  /** Resolves to the revision that etcd has now, when everything up to it has been read. */
  async caughtUp(): Promise<bigint> {
    const look = () => this.#client.kv.range('/', { limit: 1 });
    const { revision } = await eventually(look, { timeoutMs: 30_000 });
    await eventually(() => this.revision >= revision, { timeoutMs: 30_000 });
    return revision;
  }

  /** The keys that are there now. */
  get present(): ReadonlySet<string> {
    return this.#present;
  }

  /** Ends it when everything up to now is in the file. */
  async stop(): Promise<void> {
    const { revision } = await eventually(() => this.#client.kv.put('/faults-end', ''), {
      timeoutMs: 30_000,
    });
    await eventually(() => this.revision >= revision, { timeoutMs: 30_000 });
    await this[Symbol.asyncDispose]();
  }

  /** Ends it where it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort();
    await this.#following;
    await this.#client.close();
    this.#file.end();
    await once(this.#file, 'finish');
  }

  async #follow(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await this.#read().catch(() => undefined); // a member has died: the next stream goes on where this one was
      if (!this.#stopped.signal.aborted) await sleep(RETRY_MS);
    }
  }

  async #read(): Promise<void> {
    const stream = await this.#client.etcd3.watchClient.watch();
    const cancel = () => stream.cancel();
    this.#stopped.signal.addEventListener('abort', cancel);
    const over = new Promise<void>((resolve, reject) => {
      stream.on('error', reject);
      stream.on('end', resolve);
      // Without fragments a response ends with a whole revision.
      stream.on('data', ({ events, compact_revision }) => {
        if (BigInt(compact_revision) > 0n) reject(new Error(`the log is compacted at ${compact_revision}`));
        for (const { type, kv } of events) {
          this.#add({
            revision: Number(kv.mod_revision),
            type: type === 'Delete' ? 'delete' : 'put',
            key: kv.key.toString(),
            value: seenValue(kv.value.toString()),
            createRevision: Number(kv.create_revision),
            seenAt: monotonicMicros(),
          });
        }
      });
    });
    const all = Buffer.from([0]);
    const start_revision = this.#next.toString();
    stream.write({ create_request: { key: all, range_end: all, start_revision } });
    await over.finally(() => this.#stopped.signal.removeEventListener('abort', cancel));
  }

  #add(event: EtcdEvent): void {
    this.#next = BigInt(event.revision) + 1n;
    if (!this.#keeps(event.key)) return;
    if (event.type === 'put') this.#present.add(event.key);
    else this.#present.delete(event.key);
    this.#count += 1;
    this.#file.write(`${JSON.stringify(event)}\n`);
  }
}
