import { type CoordClient, CoordError } from '@coord/client';
import { eventually } from '@coord/testkit';

/** How long a worker waits for the others at the end. */
const OTHERS_MS = 45_000;

/** How the workers of a run come to their ends, in this order: they tell each other by keys. */
export type Stage = 'settled' | 'seen';
type Role = 'provider' | 'seeker';

/** Under it providers say that they change nothing any more; the value is the process. */
export function settledPrefix(run: string): string {
  return `${endPrefix(run)}settled/`;
}

function endPrefix(run: string): string {
  return `/faults/${run}/end/`;
}

export class Settling {
  readonly #kv: CoordClient['kv'];
  readonly #prefix: string;
  readonly #index: string;

  constructor(client: CoordClient, run: string, index: number) {
    this.#kv = client.kv;
    this.#prefix = endPrefix(run);
    this.#index = String(index);
  }

  /** That there is such a worker. */
  async begin(role: Role): Promise<void> {
    await this.#put(`${role}/${this.#index}`, '');
  }

  async reached(stage: Stage, process: string): Promise<void> {
    await this.#put(`${stage}/${this.#index}`, process);
  }

  /** Resolves when all who have this role have reached the stage: to a revision at which they had, or undefined after a long time. */
  async others(role: Role, stage: Stage): Promise<bigint | undefined> {
    let at: bigint | undefined;
    await eventually(
      async () => {
        const { kvs, revision } = await this.#kv.range({ prefix: this.#prefix }, { keysOnly: true });
        const there = new Set(kvs.map(({ key }) => key.slice(this.#prefix.length)));
        const expected = [...there].filter((key) => key.startsWith(`${role}/`));
        at = revision;
        return expected.every((key) => there.has(`${stage}/${key.slice(role.length + 1)}`));
      },
      { timeoutMs: OTHERS_MS, intervalMs: 100 },
    ).catch(() => {
      at = undefined;
    });
    return at;
  }

  /** Until it is there. */
  async #put(key: string, value: string): Promise<void> {
    const put = async () => {
      await this.#kv.put(`${this.#prefix}${key}`, value);
    };
    await eventually(put, { timeoutMs: OTHERS_MS, intervalMs: 100 }).catch((error: unknown) => {
      if (!CoordError.is(error)) throw error;
    });
  }
}
