import { readFileSync } from 'node:fs';
import type { ClusterHost } from '@coord/testkit';
import { run } from './command.js';
import { Namespace } from './namespace.js';

/** Of the lines that fail. They are in namespaces alone, so that no other network can have the same addresses. */
const DATA = '10.77.0';
/** Subnets of 16 addresses for benchmarks (RFC 2544), by which this process reaches the stations whatever fails. */
const MANAGEMENT_SUBNETS = 8_192;
const OWN_NUMBER = 14;

/** A machine of its own, as far as its network goes. */
export interface Station {
  readonly name: string;
  readonly namespace: Namespace;
  /** At which other stations reach it, by a line that fails. */
  readonly address: string;
  /** At which this process reaches it. */
  readonly directAddress: string;
}

let networks = 0;

/** A rule of iptables, without the command. */
type Rule = readonly string[];

/**
 * Stations in network namespaces of their own, each with one line to a switch. Each verb of it returns what ends it; several may be in
 * force at once.
 */
export class Network implements AsyncDisposable {
  readonly #switch: Namespace;
  readonly #stations: readonly Station[];
  /** The one thing outside: it goes with its other end, which is in the switch. */
  readonly #own = `c${process.pid}n${networks++}`;

  private constructor(hub: Namespace, stations: readonly Station[]) {
    this.#switch = hub;
    this.#stations = stations;
  }

  static async open(names: readonly string[]): Promise<Network> {
    const subnet = await freeSubnet();
    const namespaces = await Promise.all([...names, 'switch'].map(() => Namespace.open('net')));
    const hub = namespaces.pop();
    if (hub === undefined) throw new Error('there is a switch');
    const stations = namespaces.map((namespace, index): Station => {
      const [address, directAddress] = [`${DATA}.${index + 1}`, subnet(index + 1)];
      return { name: names[index] ?? '', namespace, address, directAddress };
    });
    const network = new Network(hub, stations);
    try {
      await network.#wire(subnet(OWN_NUMBER));
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
    return network;
  }

  station(name: string): Station {
    const found = this.#stations.find((station) => station.name === name);
    if (found !== undefined) return found;
    throw new Error(`there is no station ${name}`);
  }

  /** For the testkit. */
  host(name: string): ClusterHost {
    const { address, directAddress, namespace } = this.station(name);
    return { address, directAddress, launcher: namespace.enter };
  }

  /** Pulls the plug. */
  async cut({ name }: Station): Promise<() => Promise<void>> {
    await this.#switch.run('ip', 'link', 'set', lineOf(name), 'down');
    return async () => {
      await this.#switch.run('ip', 'link', 'set', lineOf(name), 'up');
    };
  }

  /** What `from` sends does not arrive at `at`; absent: what anybody sends. */
  drop(at: Station, from?: Station): Promise<() => Promise<void>> {
    return rule(at, [...(from ? ['-s', from.address] : []), '-j', 'DROP']);
  }

  /** `at` answers what `from` sends with a reset. */
  reject(at: Station, from: Station): Promise<() => Promise<void>> {
    return rule(at, ['-s', from.address, '-p', 'tcp', '-j', 'REJECT', '--reject-with', 'tcp-reset']);
  }

  /** So much of what comes to `at` is lost. */
  lose(at: Station, share: number): Promise<() => Promise<void>> {
    return rule(at, ['-m', 'statistic', '--mode', 'random', '--probability', String(share), '-j', 'DROP']);
  }

  /** What `at` sends goes no faster than this. */
  async slow({ namespace }: Station, kilobits: number): Promise<() => Promise<void>> {
    const limits = ['rate', `${kilobits}kbit`, 'burst', '4kb', 'latency', '400ms'];
    await namespace.run('tc', 'qdisc', 'add', 'dev', 'eth0', 'root', 'tbf', ...limits);
    return async () => {
      await namespace.run('tc', 'qdisc', 'del', 'dev', 'eth0', 'root');
    };
  }

  /** Ends every connection from `at` to `to`, at both ends. */
  async killSockets(at: Station, to: Station): Promise<void> {
    await at.namespace.run('ss', '-K', '-t', '-n', 'dst', to.address);
  }

  /** How many connections were opened there so far. */
  opened({ namespace }: Station): number {
    const [names = [], values = []] = readFileSync(`/proc/${namespace.pid}/net/snmp`, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('Tcp:'))
      .map((line) => line.split(' '));
    const countOf = (name: string) => Number(values[names.indexOf(name)]);
    return countOf('ActiveOpens') - countOf('AttemptFails');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run(['ip', 'link', 'del', this.#own]).catch(() => undefined); // it may not have come into being
    const namespaces = [this.#switch, ...this.#stations.map(({ namespace }) => namespace)];
    await Promise.all(namespaces.map((namespace) => namespace[Symbol.asyncDispose]()));
  }

  async #wire(ownAddress: string): Promise<void> {
    for (const bridge of ['data', 'management']) {
      await this.#switch.run('ip', 'link', 'add', bridge, 'type', 'bridge');
      await this.#switch.run('ip', 'link', 'set', bridge, 'up');
    }
    for (const { name, namespace, address, directAddress } of this.#stations) {
      await namespace.run('ip', 'link', 'set', 'lo', 'up');
      await this.#plug(lineOf(name), namespace, 'eth0', `${address}/24`, 'data');
      await this.#plug(`m-${name}`, namespace, 'eth1', `${directAddress}/28`, 'management');
    }
    const own = this.#own;
    await run([
      'ip',
      'link',
      'add',
      own,
      'type',
      'veth',
      'peer',
      'name',
      'outside',
      'netns',
      String(this.#switch.pid),
    ]);
    await this.#switch.run('ip', 'link', 'set', 'outside', 'master', 'management', 'up');
    await run(['ip', 'addr', 'add', `${ownAddress}/28`, 'dev', own]);
    await run(['ip', 'link', 'set', own, 'up']);
  }

  async #plug(line: string, to: Namespace, device: string, address: string, bridge: string): Promise<void> {
    const ends = [line, 'type', 'veth', 'peer', 'name', device, 'netns', String(to.pid)];
    await this.#switch.run('ip', 'link', 'add', ...ends);
    await this.#switch.run('ip', 'link', 'set', line, 'master', bridge, 'up');
    await to.run('ip', 'addr', 'add', address, 'dev', device);
    await to.run('ip', 'link', 'set', device, 'up');
  }
}

/** At the switch. */
function lineOf(name: string): string {
  return `d-${name}`;
}

async function rule({ namespace }: Station, parts: Rule): Promise<() => Promise<void>> {
  const change = (how: string) => namespace.run('iptables', '-w', how, 'INPUT', '-i', 'eth0', ...parts);
  await change('-A');
  return async () => {
    await change('-D');
  };
}

/** Addresses of a subnet that no interface has, by their number. */
async function freeSubnet(): Promise<(host: number) => string> {
  const taken = await run(['ip', '-o', '-4', 'addr']);
  for (let tries = 0; tries < MANAGEMENT_SUBNETS; tries++) {
    const number = ((process.pid + tries) % MANAGEMENT_SUBNETS) * 16;
    const addressOf = (host: number) =>
      `198.${18 + Math.floor(number / 65_536)}.${Math.floor(number / 256) % 256}.${(number % 256) + host}`;
    if (!taken.includes(` ${addressOf(OWN_NUMBER)}/`)) return addressOf;
  }
  throw new Error('no subnet of 198.18.0.0/15 is free');
}
