import { TestkitError } from './errors.js';
import type { EtcdNode } from './etcd-node.js';
import type {
  EtcdBackend,
  EtcdConnectOptions,
  EtcdCredentials,
  EtcdServer,
  EtcdTlsFiles,
  StopOptions,
} from './etcd-server.js';

interface ServerSettings {
  readonly auth: EtcdCredentials | undefined;
  readonly tls: EtcdTlsFiles | undefined;
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
}

/** The state of a server, over what its backend can do. @internal */
export class ServerHandle implements EtcdServer {
  readonly auth: EtcdCredentials | undefined;
  readonly tls: EtcdTlsFiles | undefined;
  readonly #node: EtcdNode;
  readonly #settings: ServerSettings;
  #state: 'running' | 'paused' | 'down' | 'stopped' = 'running';
  #queue: Promise<unknown> = Promise.resolve();

  constructor(node: EtcdNode, settings: ServerSettings) {
    this.#node = node;
    this.#settings = settings;
    this.auth = settings.auth;
    this.tls = settings.tls;
  }

  get endpoint(): string {
    return this.#node.endpoint;
  }

  get endpoints(): readonly string[] {
    return [this.endpoint];
  }

  get target(): string {
    return new URL(this.endpoint).host;
  }

  get connectOptions(): EtcdConnectOptions {
    return {
      endpoints: this.endpoints,
      ...this.auth,
      ...(this.tls && { tls: this.tls }),
    };
  }

  get version(): string {
    return this.#node.version;
  }

  get backend(): EtcdBackend {
    return this.#node.backend;
  }

  get pid(): number | undefined {
    return this.#node.pid;
  }

  get state(): EtcdServer['state'] {
    const alive = this.#state === 'running' || this.#state === 'paused';
    return alive && !this.#node.running ? 'down' : this.#state;
  }

  stop(options: StopOptions = {}): Promise<void> {
    return this.#enqueue(async () => {
      if (this.state === 'stopped') return;
      await this.#end();
      if (options.keepData) return;
      await this.#node.remove();
      this.#state = 'stopped';
    });
  }

  kill(): Promise<void> {
    return this.#enqueue(async () => {
      if (this.state === 'stopped' || this.state === 'down') return;
      await this.#node.kill();
      this.#state = 'down';
    });
  }

  pause(): Promise<void> {
    return this.#enqueue(async () => {
      if (this.state === 'paused') return;
      this.#assert('running', 'pause', 'restart() it first');
      await this.#node.pause();
      this.#state = 'paused';
    });
  }

  resume(): Promise<void> {
    return this.#enqueue(async () => {
      if (this.state === 'running') return;
      this.#assert('paused', 'resume', 'restart() it instead');
      await this.#node.resume();
      this.#state = 'running';
    });
  }

  restart(): Promise<void> {
    return this.#enqueue(async () => {
      if (this.state === 'stopped')
        throw this.#wrongState('restart', 'use stop({ keepData: true }) or kill()');
      await this.#end();
      await this.#node.start({ timeoutMs: this.#settings.startTimeoutMs });
      this.#state = 'running';
    });
  }

  async etcdctl(args: readonly string[]): Promise<string> {
    const user = this.auth ? [`--user=${this.auth.username}:${this.auth.password}`] : [];
    return this.#node.etcdctl([...user, ...args]);
  }

  async log(): Promise<string> {
    return this.state === 'stopped' ? '' : this.#node.log();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #end(): Promise<void> {
    if (this.state === 'paused') await this.#node.resume();
    if (this.state !== 'down') await this.#node.terminate(this.#settings.stopTimeoutMs);
    this.#state = 'down';
  }

  #enqueue(step: () => Promise<void>): Promise<void> {
    const result = this.#queue.then(step);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  #assert(expected: EtcdServer['state'], verb: string, remedy: string): void {
    if (this.state !== expected) throw this.#wrongState(verb, remedy);
  }

  #wrongState(verb: string, remedy: string): TestkitError {
    return new TestkitError(
      'COORD_TESTKIT_INVALID_STATE',
      `cannot ${verb} etcd at ${this.endpoint}: it is ${this.state}`,
      remedy,
    );
  }
}
