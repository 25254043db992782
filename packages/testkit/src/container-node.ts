import type { StartedTestContainer } from 'testcontainers';
import { serverArgs } from './certificates.js';
import { type ContainerImage, containerImage } from './container-image.js';
import type { ContainerRuntime } from './container-runtime.js';
import { abortedError, EtcdNotFoundError, EtcdStartError, TestkitError } from './errors.js';
import { alone, etcdArgs } from './etcd-args.js';
import type { EtcdNode, MemberPlace, NodeStart } from './etcd-node.js';
import { freePorts } from './free-port.js';
import { call } from './http.js';
import type { NodeSettings } from './options.js';
import { waitUntilHealthy, waitUntilListening } from './readiness.js';
import { versionMatches } from './version.js';
import type { Workspace } from './workspace.js';

type DockerContainer = ReturnType<ContainerRuntime['client']['container']['getById']>;

/** The label that names the server a container belongs to. @internal */
export const CONTAINER_LABEL = 'coord.testkit';
const CLIENT_PORT = 2379;
const TLS_FOLDER = '/coord-tls';
const MAX_PORT_TRIES = 5;
const LOG_LINES = 500;
const LOG_TAIL_BYTES = 64 * 1024;

/** etcd in a container. @internal */
export class ContainerNode implements EtcdNode {
  readonly backend = 'testcontainers';
  readonly pid = undefined;
  readonly #runtime: ContainerRuntime;
  readonly #workspace: Workspace;
  readonly #settings: NodeSettings & { readonly version: string | undefined };
  readonly #image: ContainerImage;
  readonly #place: MemberPlace | undefined;
  #container: StartedTestContainer | undefined;
  #port = 0;
  #version = '';
  #running = false;

  /** @param place without it the node is alone; with it, it shares the network of this machine */
  constructor(
    runtime: ContainerRuntime,
    workspace: Workspace,
    settings: NodeSettings & { readonly version: string | undefined },
    place?: MemberPlace,
  ) {
    this.#runtime = runtime;
    this.#workspace = workspace;
    this.#settings = settings;
    this.#image = containerImage(settings.version);
    this.#place = place;
  }

  get version(): string {
    return this.#version;
  }

  get endpoint(): string {
    const host = this.#place ? '127.0.0.1' : this.#runtime.host;
    return `${this.#workspace.tls ? 'https' : 'http'}://${host}:${this.#port}`;
  }

  /** What was done with it; a container that ended by itself is not noticed. */
  get running(): boolean {
    return this.#running;
  }

  async start(options: NodeStart): Promise<void> {
    const deadline = AbortSignal.timeout(options.timeoutMs);
    const signal = options.signal ? AbortSignal.any([deadline, options.signal]) : deadline;
    const tls = this.#workspace.tls?.call;
    try {
      if (this.#container) await this.#docker(this.#container).start();
      else this.#container = await this.#create(options.timeoutMs);
      if (this.#place && options.ready === 'listening') {
        await waitUntilListening(this.#place.cluster.peerListenUrl, { signal });
      } else await waitUntilHealthy(this.endpoint, { tls, signal });
      this.#running = true;
    } catch (error) {
      const log = await this.log();
      if (this.#container) await this.kill();
      if (options.signal?.aborted) throw abortedError(options.signal);
      const reason = deadline.aborted ? 'was not healthy in time' : String(error);
      throw new EtcdStartError(
        `${this.#image.name} ${reason}`,
        'see its log above, or raise startTimeoutMs',
        log,
        {
          cause: error,
        },
      );
    }
    if (this.#version !== '') return;
    const { text } = await call(`${this.endpoint}/version`, { tls, timeoutMs: options.timeoutMs, signal });
    this.#version = /"etcdserver":"([^"]+)"/.exec(text)?.[1] ?? '';
    const wanted = this.#settings.version;
    if (!versionMatches(this.#version, wanted)) {
      throw new EtcdNotFoundError(
        `image ${this.#image.name} holds etcd ${this.#version}, not ${wanted}`,
        'give COORD_ETCD_IMAGE without a tag, or ask for no version',
        wanted,
      );
    }
  }

  async use(): Promise<void> {
    throw new TestkitError(
      'COORD_TESTKIT_UNSUPPORTED',
      'a container cannot go on with another version of etcd',
      "use the backend 'binary'",
    );
  }

  async terminate(timeoutMs: number): Promise<void> {
    await this.#unlessDone((container) => container.stop({ t: Math.ceil(timeoutMs / 1000) }));
    this.#running = false;
  }

  async kill(): Promise<void> {
    await this.#unlessDone((container) => container.kill());
    this.#running = false;
  }

  async pause(): Promise<void> {
    await this.#unlessDone((container) => container.pause());
  }

  async resume(): Promise<void> {
    await this.#unlessDone((container) => container.unpause());
  }

  async remove(): Promise<void> {
    const { dockerode } = this.#runtime.client.container;
    const filters = { label: [`${CONTAINER_LABEL}=${this.#workspace.id}`] };
    for (const { Id } of await dockerode.listContainers({ all: true, filters })) {
      await dockerode.getContainer(Id).remove({ force: true, v: true }).catch(ignoreDone);
    }
    this.#running = false;
    await this.#workspace.remove();
  }

  async etcdctl(args: readonly string[]): Promise<string> {
    const scheme = this.#workspace.tls ? 'https' : 'http';
    const tlsArgs = this.#workspace.tls
      ? [
          `--cacert=${TLS_FOLDER}/ca.pem`,
          `--cert=${TLS_FOLDER}/client.pem`,
          `--key=${TLS_FOLDER}/client-key.pem`,
        ]
      : [];
    const port = this.#place?.clientPort ?? CLIENT_PORT;
    const command = ['etcdctl', `--endpoints=${scheme}://127.0.0.1:${port}`, ...tlsArgs, ...args];
    const result = await this.#container?.exec(command, { env: { ETCDCTL_API: '3' } });
    if (result?.exitCode === 0) return result.stdout;
    throw new TestkitError(
      'COORD_TESTKIT_COMMAND_FAILED',
      `etcdctl: ${result?.output.trim() ?? 'no container'}`,
      'see its message',
    );
  }

  async log(): Promise<string> {
    if (!this.#container) return '';
    try {
      const raw = await this.#docker(this.#container).logs({ stdout: true, stderr: true, tail: LOG_LINES });
      return withoutFrames(raw).slice(-LOG_TAIL_BYTES);
    } catch {
      return ''; // removed
    }
  }

  /** Creates and starts the container. Its host port is fixed, so that a restart keeps it. */
  async #create(timeoutMs: number): Promise<StartedTestContainer> {
    const { GenericContainer, Wait } = this.#runtime.testcontainers;
    const tls = this.#workspace.tls;
    for (let tries = 1; ; tries++) {
      [this.#port = 0] = this.#place ? [this.#place.clientPort] : await freePorts(1);
      const container = new GenericContainer(this.#image.name)
        .withEntrypoint(['etcd'])
        .withCommand(this.#args())
        .withLabels({ [CONTAINER_LABEL]: this.#workspace.id })
        .withWaitStrategy(Wait.forLogMessage(/ready to serve client requests|serving client traffic/))
        .withStartupTimeout(timeoutMs);
      if (this.#place) container.withNetworkMode('host').withEnvironment(this.#place.environment ?? {});
      else container.withExposedPorts({ container: CLIENT_PORT, host: this.#port });
      if (tls) container.withCopyDirectoriesToContainer([{ source: tls.folder, target: TLS_FOLDER }]);
      // etcd 3.4 refuses to run on 64-bit ARM without it.
      if (process.arch === 'arm64') container.withEnvironment({ ETCD_UNSUPPORTED_ARCH: 'arm64' });
      try {
        return await container.start();
      } catch (error) {
        const taken = /port is already allocated|address already in use/.test(String(error));
        if (!taken || tries === MAX_PORT_TRIES) throw error;
      }
    }
  }

  #args(): string[] {
    const { tls } = this.#workspace;
    const place = this.#place;
    return etcdArgs(this.#settings, {
      dataDir: '/coord-data',
      listenUrl: place ? this.endpoint : `${tls ? 'https' : 'http'}://0.0.0.0:${CLIENT_PORT}`,
      advertiseUrl: place?.advertiseUrl ?? this.endpoint,
      cluster: place?.cluster ?? alone('http://127.0.0.1:2380'),
      version: this.#image.version,
      tlsArgs: tls ? serverArgs(TLS_FOLDER, tls.clientCertAuth) : [],
      logLevel: 'info', // says when it is ready
    });
  }

  #docker(container: StartedTestContainer): DockerContainer {
    return this.#runtime.client.container.getById(container.getId());
  }

  async #unlessDone(step: (container: DockerContainer) => Promise<unknown>): Promise<void> {
    if (this.#container) await step(this.#docker(this.#container)).catch(ignoreDone);
  }
}

/** Docker answers 304, 404 or 409 if there is nothing (left) to do. */
function ignoreDone(error: unknown): void {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  if (status !== 304 && status !== 404 && status !== 409) throw error;
}

/** Docker puts 8 bytes before each piece of log: the stream, and in the last four the length. */
function withoutFrames(raw: Buffer): string {
  const pieces: Buffer[] = [];
  for (let at = 0; at + 8 <= raw.length; ) {
    const end = at + 8 + raw.readUInt32BE(at + 4);
    pieces.push(raw.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(pieces).toString('utf8');
}
