import { startCluster } from '@coord/testkit';
import { type Fault, LINE_FAULTS, type Scene } from '../run/cluster-faults.js';
import { problemOf } from './command.js';
import { Network, type Station } from './network.js';
import { type ClientLines, COMMON, type Stage, type StageKind, type StageOptions } from './stage.js';

const MEMBERS = ['m1', 'm2', 'm3'];
const CLIENTS = 'clients';
/** Of all packets. */
const LOSS = 0.3;
const SLOW_KILOBITS = 1_000;
/** Heartbeats, requests and patience are counted in seconds: so are these faults. */
const LONG = 3;

/** Members and workers in network namespaces: the kernel's own faults, at the sockets of the processes that are tested. */
export const NETWORK: StageKind = {
  name: 'network',
  about: 'members and workers in network namespaces, whose links and packets are lost',
  missing: whatIsMissing,
  start: startNetwork,
};

async function whatIsMissing(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'it takes Linux';
  const absent = await problemOf(
    ['ip', '-V'],
    ['iptables', '-V'],
    ['ss', '-V'],
    ['tc', '-V'],
    ['nsenter', '-V'],
  );
  if (absent !== undefined) return `${absent} (Debian: apt-get install iproute2 iptables util-linux)`;
  const denied = await problemOf(['unshare', '--net', 'true']);
  if (denied !== undefined) return `it takes root: ${denied}`;
  try {
    await using network = await Network.open(['a', 'b']);
    const [a, b] = [network.station('a'), network.station('b')];
    const ends = [await network.drop(a, b), await network.reject(a, b), await network.lose(a, LOSS)];
    ends.push(await network.slow(a, SLOW_KILOBITS), await network.cut(a));
    await network.killSockets(a, b);
    for (const end of ends) await end();
    return undefined;
  } catch (error) {
    return `this kernel cannot do all of it: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function startNetwork({ etcd }: StageOptions): Promise<Stage> {
  const network = await Network.open([...MEMBERS, CLIENTS]);
  try {
    const hosts = MEMBERS.map((name) => network.host(name));
    const cluster = await startCluster({ ...COMMON, version: etcd, hosts });
    const clients = network.station(CLIENTS);
    return {
      ...{ cluster, faults: faultsOf(network), lines: new KernelLines(network) },
      musts: Object.fromEntries(Object.keys(faultsOf(network)).map((kind) => [kind, 1])),
      workers: { launcher: clients.namespace.enter, environment: {} },
      allows: (kind) => !LINE_FAULTS.includes(kind),
      settle: async () => {
        for (const name of MEMBERS) await network.killSockets(network.station(name), clients);
      },
      [Symbol.asyncDispose]: async () => {
        await cluster.stop();
        await network[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
}

function faultsOf(network: Network): Record<string, Fault> {
  const clients = network.station(CLIENTS);
  const stationAt = (index: number) => network.station(MEMBERS[index % MEMBERS.length] ?? '');
  const lasting =
    (begin: (own: Station, next: Station) => Promise<() => Promise<void>>): Fault =>
    async (scene) => {
      const beganAt = performance.now();
      const end = await begin(stationAt(indexOf(scene)), stationAt(indexOf(scene) + 1));
      await scene.hold(LONG);
      await end();
      await scene.cluster.waitForLeader();
      // TCP waits twice as long before each try (RFC 6298, 5.5): only then have all connections been tried again.
      await scene.sleep(performance.now() - beganAt);
    };
  return {
    'member link cut': lasting((own) => network.cut(own)),
    // The third bridges: a member that hears nothing of one that hears it.
    'members parted one way': lasting((own, next) => network.drop(own, next)),
    'client link cut': lasting(() => network.cut(clients)),
    'client packets rejected': lasting((own) => network.reject(own, clients)),
    'packets lost': lasting((own) => network.lose(own, LOSS)),
    'packets to clients lost': lasting(() => network.lose(clients, LOSS)),
    'sockets killed': (scene) => network.killSockets(clients, stationAt(indexOf(scene))),
    'slow link': lasting((own) => network.slow(own, SLOW_KILOBITS)),
  };
}

function indexOf({ cluster, member }: Scene): number {
  return cluster.members.indexOf(member);
}

/** Real sockets: what ends them is the kernel, as `ss -K` asks it. */
class KernelLines implements ClientLines {
  readonly #network: Network;
  readonly #clients: Station;

  constructor(network: Network) {
    this.#network = network;
    this.#clients = network.station(CLIENTS);
  }

  async reset(): Promise<void> {
    for (const name of MEMBERS) await this.#network.killSockets(this.#clients, this.#network.station(name));
  }

  holdAnswers(): Promise<() => Promise<void>> {
    return this.#network.drop(this.#clients);
  }

  opened(): number {
    return this.#network.opened(this.#clients);
  }
}
