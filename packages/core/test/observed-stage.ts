import { type EtcdServer, startEtcd } from '@coord/testkit';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { afterAll, afterEach, beforeEach } from 'vitest';
import { type CoordConfigInput, type Coordinator, createCoordinator } from '../src/index.js';
import { InMemorySdk } from './telemetry-sdk.js';

/** What must be told nowhere. */
export const VALUE = 'canary-value';

interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** An etcd for the tests of a file, and for each of them an SDK, a log, and coordinators that use both. */
export async function observedStage(): Promise<ObservedStage> {
  const stage = new ObservedStage(await startEtcd());
  afterAll(() => stage.etcd.stop());
  beforeEach(() => stage.begin());
  afterEach(() => stage.end());
  return stage;
}

class ObservedStage {
  readonly etcd: EtcdServer;
  readonly lines: Line[] = [];
  readonly #made: Coordinator[] = [];
  #sdk: InMemorySdk | undefined;

  constructor(etcd: EtcdServer) {
    this.etcd = etcd;
  }

  get sdk(): InMemorySdk {
    if (this.#sdk === undefined) throw new Error('there is one only within a test');
    return this.#sdk;
  }

  set sdk(other: InMemorySdk) {
    this.#sdk = other;
  }

  begin(): void {
    this.#sdk = new InMemorySdk();
    this.lines.length = 0;
  }

  async end(): Promise<void> {
    await Promise.all(this.#made.splice(0).map((coordinator) => coordinator.close()));
    await this.#sdk?.stop();
  }

  async observed(config: CoordConfigInput = {}): Promise<Coordinator> {
    const enabled = { enableTracing: true, enableMetrics: true, logLevel: 'debug' } as const;
    const at = (level: string) => (message: unknown, fields: unknown) => {
      this.lines.push({ level, message: String(message), fields: Object(fields) });
    };
    const logger = { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') };
    const options = { ...this.etcd.connectOptions, ...enabled, ...config };
    const coordinator = await createCoordinator(options, { logger });
    this.#made.push(coordinator);
    return coordinator;
  }

  /** The operations that were traced, without the calls that they consist of. */
  operations(): readonly ReadableSpan[] {
    return this.sdk.spans.filter(({ name }) => !name.startsWith('coord.kv.'));
  }

  /** What the log says of operations: each with a key or something else to tell it by, an outcome and a duration. */
  logged(message: string): readonly Line[] {
    return this.lines.filter((line) => line.message === `coord: ${message}` && 'durationMs' in line.fields);
  }

  /** How often each operation was measured, by outcome. */
  async measured(): Promise<Readonly<Record<string, number>>> {
    const points = await this.sdk.points('coord.operation.duration');
    return Object.fromEntries(
      points.map(({ attributes, value }) => {
        const { 'coord.operation': operation, 'error.type': type } = attributes;
        return [[operation, type].filter((part) => part !== undefined).join(' '), value];
      }),
    );
  }
}
