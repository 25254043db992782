import type { TlsMaterial } from './certificates.js';
import { TestkitError } from './errors.js';
import type { EtcdNode, NodeStart } from './etcd-node.js';
import type {
  EtcdBackend,
  EtcdConnectOptions,
  EtcdCredentials,
  EtcdServer,
  EtcdStatus,
  EtcdTlsFiles,
  RestartOptions,
  StopOptions,
} from './etcd-server.js';
import { Gateway, type GatewayCallOptions } from './gateway.js';
import { compactTo, currentRevision, defragment, disarmNospace, statusOf } from './maintenance.js';
import { fillQuota, removeFilling } from './quota.js';

/** @internal */
export interface ServerSettings {
  readonly auth: EtcdCredentials | undefined;
  readonly tls: TlsMaterial | undefined;
  readonly quotaBytes: number | undefined;
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly onProgress: (line: string) => void;
  /** When a restart is over, if nobody says. @default 'serving' */
  readonly ready?: (() => NodeStart['ready']) | undefined;
}

/** The state of a server, over what its backend can do. @internal */
export class ServerHandle implements EtcdServer {
  readonly auth: EtcdCredentials | undefined;
  readonly tls: EtcdTlsFiles | undefined;
  /** What etcdctl could do, past any proxy. @internal */
  readonly gateway: Gateway;
  readonly #node: EtcdNode;
  readonly #settings: ServerSettings;
  #state: 'running' | 'paused' | 'down' | 'stopped' = 'running';
  #restarts = 0;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(node: EtcdNode, settings: ServerSettings) {
    this.#node = node;
    this.#settings = settings;
    this.auth = settings.auth;
    this.tls = settings.tls?.files;
    this.gateway = new Gateway({
      endpoint: () => node.endpoint,
      tls: settings.tls?.call,
      auth: settings.auth,
    });
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

  /** Whether it runs, or is about to. @internal */
  get up(): boolean {
    return this.#restarts > 0 || this.state === 'running';
  }

  /** Ends etcd and removes all that it left, without asking it. @internal */
  discard(): Promise<void> {
    return this.#enqueue(async () => {
      if (this.state === 'stopped') return;
      await this.#node.remove();
      this.#state = 'stopped';
    });
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

  restart(options: RestartOptions = {}): Promise<void> {
    const { version } = options;
    const { onProgress, startTimeoutMs } = this.#settings;
    this.#restarts += 1;
    return this.#enqueue(async () => {
      if (this.state === 'stopped')
        throw this.#wrongState('restart', 'use stop({ keepData: true }) or kill()');
      if (version !== undefined) await this.#node.use(version, onProgress);
      await this.#end();
      const ready = options.ready ?? this.#settings.ready?.();
      await this.#node.start({ timeoutMs: startTimeoutMs, ready });
      this.#state = 'running';
    }).finally(() => {
      this.#restarts -= 1;
    });
  }

  status(options?: GatewayCallOptions): Promise<EtcdStatus> {
    return statusOf(this.gateway, options);
  }

  async compact(revision?: bigint): Promise<bigint> {
    const at = revision ?? (await currentRevision(this.gateway));
    await compactTo(this.gateway, at);
    return at;
  }

  defrag(): Promise<void> {
    return defragment(this.gateway);
  }

  disarm(): Promise<void> {
    return disarmNospace(this.gateway);
  }

  fillQuota(): Promise<void> {
    return fillQuota(this.gateway, this.#settings.quotaBytes);
  }

  async freeSpace(): Promise<void> {
    await removeFilling(this.gateway);
    await this.compact();
    await this.defrag();
    await this.disarm();
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
