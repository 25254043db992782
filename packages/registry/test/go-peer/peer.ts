import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { CoordClient } from '@coord/client';
import type { EtcdServer } from '@coord/testkit';
import { expect } from 'vitest';

/** What Go programs make of the instances of a service. */
export interface GoReading {
  /** By key, of etcd's own `endpoints.Manager`. */
  readonly manager: Readonly<Record<string, { readonly Addr: string; readonly Metadata: unknown }>>;
  /** The addresses that etcd's own gRPC resolver gives a channel, sorted. */
  readonly resolver: string;
  /** By id, of the Go original. */
  readonly original: Readonly<Record<string, unknown>>;
}

/** What the Go programs wrote, and how they read what Coord wrote, when they last ran. */
interface Recorded {
  readonly written: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, string>>;
  readonly reading: GoReading;
}

export interface GoPeer {
  /** Registers the instances that `main.go` names. */
  write(): Promise<void>;
  /** Reads the instances of a service. */
  read(service: string): Promise<GoReading>;
}

const RECORDED = fileURLToPath(new URL('recorded.json', import.meta.url));

/**
 * The Go programs of `main.go` at work on an etcd, if `COORD_GO_PEER` names their binary (see `build.sh`); what they
 * wrote and read when they last ran otherwise. `vitest -u` records anew.
 */
export async function goPeer(etcd: EtcdServer, client: CoordClient): Promise<GoPeer> {
  const binary = process.env.COORD_GO_PEER;
  return binary ? new RunningPeer(binary, etcd, client) : new RecordedPeer(await readRecorded(), client);
}

class RunningPeer implements GoPeer {
  readonly #binary: string;
  readonly #etcd: EtcdServer;
  readonly #client: CoordClient;
  #written: Readonly<Record<string, string>> = {};

  constructor(binary: string, etcd: EtcdServer, client: CoordClient) {
    this.#binary = binary;
    this.#etcd = etcd;
    this.#client = client;
  }

  async write(): Promise<void> {
    const before = await valuesAt(this.#client, '');
    await this.#run('write');
    const after = await valuesAt(this.#client, '');
    this.#written = Object.fromEntries(Object.entries(after).filter(([key]) => !(key in before)));
  }

  async read(service: string): Promise<GoReading> {
    const { resolver, ...rest } = JSON.parse(await this.#run('read', service));
    const reading: GoReading = { ...rest, resolver: resolver.join(' ') };
    const values = mask(await valuesAt(this.#client, `/services/${service}/`));
    const recorded: Recorded = { written: this.#written, values, reading };
    await expect(`${JSON.stringify(recorded, undefined, 2)}\n`).toMatchFileSnapshot(RECORDED);
    return reading;
  }

  async #run(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(this.#binary, [this.#etcd.target, ...args]);
    return stdout;
  }
}

class RecordedPeer implements GoPeer {
  readonly #recorded: Recorded;
  readonly #client: CoordClient;

  constructor(recorded: Recorded, client: CoordClient) {
    this.#recorded = recorded;
    this.#client = client;
  }

  async write(): Promise<void> {
    for (const [key, value] of Object.entries(this.#recorded.written)) await this.#client.kv.put(key, value);
  }

  /** Go would read the same as then if all that it looks at is the same. */
  async read(service: string): Promise<GoReading> {
    const { values, reading } = this.#recorded;
    expect(seenByGo(await valuesAt(this.#client, `/services/${service}/`))).toEqual(seenByGo(values));
    return reading;
  }
}

async function readRecorded(): Promise<Recorded> {
  return JSON.parse(await readFile(RECORDED, 'utf8'));
}

async function valuesAt(client: CoordClient, prefix: string): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  const range = prefix === '' ? { start: '\0', end: '\xff' } : { prefix };
  for await (const kv of client.kv.list(range)) values[kv.key] = kv.text();
  return values;
}

/** What differs from run to run. */
function mask(values: Readonly<Record<string, string>>): Record<string, string> {
  const fixed: Readonly<Record<string, string>> = {
    nonce: 'random',
    registerTime: 'then',
    lastHeartbeat: 'then',
  };
  const masked = (name: string, value: unknown) => fixed[name] ?? value;
  return mapValues(values, (text) => JSON.stringify(JSON.parse(text, masked)));
}

/** The fields that Go's structs name: Go finds them by name without regard to case, the last one of a value wins. */
const GO_FIELDS = new Set(['op', 'addr', 'metadata', 'id', 'name', 'address', 'port']);

function seenByGo(values: Readonly<Record<string, string>>): Record<string, unknown> {
  return mapValues(values, (text) => {
    const fields: [string, unknown][] = Object.entries(JSON.parse(text));
    return fields
      .map(([name, value]) => [name.toLowerCase(), value])
      .filter(([name]) => typeof name === 'string' && GO_FIELDS.has(name));
  });
}

function mapValues<T>(values: Readonly<Record<string, string>>, map: (text: string) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([key, text]) => [key, map(text)]));
}
