import { type Cluster, type StartClusterOptions, startCluster } from '@coord/testkit';
import type { Fault } from '../run/cluster-faults.js';
import { type ClientLines, COMMON, HERE, type Stage, type WorkerLaunch } from './stage.js';

export interface ProxiedOptions {
  readonly cluster: StartClusterOptions;
  readonly faults?: Readonly<Record<string, Fault>>;
  readonly musts?: Readonly<Record<string, number>>;
  readonly workers?: WorkerLaunch;
  /** What the stage has besides: it goes after the cluster. */
  readonly beside?: AsyncDisposable;
}

/** Three members with a proxy before each; leaders change in a second or so. It needs no root. */
export async function startProxied(options: ProxiedOptions): Promise<Stage> {
  const { faults = {}, workers = HERE, beside } = options;
  const once = Object.fromEntries(Object.keys(faults).map((kind) => [kind, 1]));
  const cluster = await startCluster({
    ...COMMON,
    proxies: 'client',
    ...options.cluster,
  }).catch(async (error: unknown) => {
    await beside?.[Symbol.asyncDispose]();
    throw error;
  });
  return {
    ...{ cluster, faults, workers, lines: new ProxyLines(cluster), musts: options.musts ?? once },
    allows: () => true,
    [Symbol.asyncDispose]: async () => {
      await cluster.stop();
      await beside?.[Symbol.asyncDispose]();
    },
  };
}

class ProxyLines implements ClientLines {
  readonly #cluster: Cluster;
  /** A member that is replaced takes its line along. */
  readonly #seen = new Set<Cluster['members'][number]['clientLine']>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  async reset(): Promise<void> {
    for (const line of this.#now()) line.resetConnections();
  }

  async holdAnswers(): Promise<() => Promise<void>> {
    const lines = this.#now();
    for (const line of lines) line.blackhole('toClient');
    return async () => {
      for (const line of lines) line.heal('toClient');
    };
  }

  opened(): number {
    this.#now();
    return [...this.#seen].reduce((sum, { accepted }) => sum + accepted, 0);
  }

  #now() {
    const lines = this.#cluster.members.map(({ clientLine }) => clientLine);
    for (const line of lines) this.#seen.add(line);
    return lines;
  }
}
