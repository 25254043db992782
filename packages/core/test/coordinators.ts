import { type EtcdServer, startEtcd } from '@coord/testkit';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { type CoordConfigInput, type Coordinator, createCoordinator } from '../src/index.js';

/** An etcd for the tests of one file, and coordinators on it that are closed after each of them. */
export class Coordinators {
  #etcd: EtcdServer | undefined;
  readonly #made: Coordinator[] = [];
  #names = 0;

  get etcd(): EtcdServer {
    if (this.#etcd === undefined) throw new Error('etcd is not running');
    return this.#etcd;
  }

  async create(config: CoordConfigInput = {}): Promise<Coordinator> {
    return this.closeLater(await createCoordinator({ ...this.etcd.connectOptions, ...config }));
  }

  closeLater(coordinator: Coordinator): Coordinator {
    this.#made.push(coordinator);
    return coordinator;
  }

  /** A name that no other test uses. */
  unique(): string {
    return `core-${++this.#names}`;
  }

  async start(): Promise<void> {
    this.#etcd = await startEtcd();
  }

  async closeAll(): Promise<void> {
    await Promise.all(this.#made.splice(0).map((coordinator) => coordinator.close({ timeoutMs: 2_000 })));
  }

  async stop(): Promise<void> {
    await this.#etcd?.stop();
  }
}

export function useCoordinators(): Coordinators {
  const coordinators = new Coordinators();
  beforeAll(() => coordinators.start());
  afterEach(() => coordinators.closeAll());
  afterAll(() => coordinators.stop());
  return coordinators;
}
