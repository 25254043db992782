import { execFile } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LOOPBACK, listenUrls, type ResolvedHost } from './cluster-host.js';
import { ensureEtcd } from './ensure-etcd.js';
import { abortedError, EtcdNotFoundError, EtcdStartError, TestkitError, throwIfAborted } from './errors.js';
import { alone, etcdArgs } from './etcd-args.js';
import type { EtcdNode, MemberPlace, NodeStart } from './etcd-node.js';
import { EtcdProcess } from './etcd-process.js';
import type { EtcdBinary } from './find-etcd.js';
import { freePorts } from './free-port.js';
import type { NodeSettings } from './options.js';
import { waitUntilHealthy, waitUntilListening } from './readiness.js';
import { etcdEnvironment } from './version.js';
import type { Workspace } from './workspace.js';

const MAX_PORT_TRIES = 8;
const LOG_TAIL_BYTES = 64 * 1024;
const START_LOG_LINES = 20;

interface Ports {
  readonly client: number;
  readonly peer: number;
}

/** etcd as a process of this machine. @internal */
export class BinaryNode implements EtcdNode {
  readonly backend = 'binary';
  #binary: EtcdBinary;
  readonly #workspace: Workspace;
  readonly #settings: NodeSettings;
  readonly #place: MemberPlace | undefined;
  #ports: Ports | undefined;
  #process: EtcdProcess | undefined;

  /** @param place without it the node is alone and chooses its ports itself */
  constructor(binary: EtcdBinary, workspace: Workspace, settings: NodeSettings, place?: MemberPlace) {
    this.#binary = binary;
    this.#workspace = workspace;
    this.#settings = settings;
    this.#place = place;
    if (place) this.#ports = { client: place.clientPort, peer: place.peerPort };
  }

  get version(): string {
    return this.#binary.version;
  }

  get endpoint(): string {
    const scheme = this.#workspace.tls ? 'https' : 'http';
    return `${scheme}://${this.#host.directAddress}:${this.#ports?.client ?? 0}`;
  }

  get pid(): number | undefined {
    return this.running ? this.#process?.pid : undefined;
  }

  get running(): boolean {
    return this.#process?.running ?? false;
  }

  async use(version: string, onProgress: (line: string) => void): Promise<void> {
    this.#binary = await ensureEtcd({ version, onProgress });
  }

  async start(options: NodeStart): Promise<void> {
    const fixed = this.#ports;
    const deadline = AbortSignal.timeout(options.timeoutMs);
    const signal = options.signal ? AbortSignal.any([deadline, options.signal]) : deadline;
    for (let tries = 1; ; tries++) {
      throwIfAborted(options.signal);
      this.#ports = fixed ?? (await newPorts());
      await mkdir(join(this.#workspace.folder, 'data'), { recursive: true, mode: 0o700 });
      const process = new EtcdProcess(this.#binary.etcdFile, this.#args(), {
        folder: this.#workspace.folder,
        logFile: this.#logFile,
        environment: this.#place?.environment,
        launcher: this.#host.launcher,
      });
      this.#process = process;
      const problem = await this.#firstAnswer(process, signal, options.ready ?? 'serving');
      if (problem === undefined) return;
      await process.kill();
      if (options.signal?.aborted) throw abortedError(options.signal);
      const log = lastLines(await this.log(), START_LOG_LINES);
      const taken = /address already in use/.test(log);
      if (!fixed) this.#ports = undefined;
      if (taken && tries < MAX_PORT_TRIES && !deadline.aborted) {
        await rm(this.#logFile, { force: true });
        if (!fixed) await rm(join(this.#workspace.folder, 'data'), { recursive: true, force: true });
        continue;
      }
      throw new EtcdStartError(
        `${this.#binary.etcdFile} (${this.version}) ${problem}`,
        taken
          ? 'its port was taken meanwhile: start another one'
          : 'see its log above, or raise startTimeoutMs',
        log,
      );
    }
  }

  async terminate(timeoutMs: number): Promise<void> {
    await this.#process?.terminate(timeoutMs);
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  async pause(): Promise<void> {
    await this.#process?.pause();
  }

  async resume(): Promise<void> {
    this.#process?.signal('SIGCONT');
  }

  async remove(): Promise<void> {
    await this.kill();
    await this.#workspace.remove();
  }

  async etcdctl(args: readonly string[]): Promise<string> {
    const { etcdctlFile } = this.#binary;
    if (!etcdctlFile) {
      throw new EtcdNotFoundError(
        `no etcdctl beside ${this.#binary.etcdFile} or on PATH`,
        'install etcd-client',
        this.version,
      );
    }
    const tls = this.#workspace.tls?.files;
    const tlsArgs = tls ? [`--cacert=${tls.caFile}`, `--cert=${tls.certFile}`, `--key=${tls.keyFile}`] : [];
    const env = { ...etcdEnvironment(), ETCDCTL_API: '3' };
    try {
      const all = [`--endpoints=${this.endpoint}`, ...tlsArgs, ...args];
      return (await promisify(execFile)(etcdctlFile, all, { env, maxBuffer: 64 * 1024 * 1024 })).stdout;
    } catch (error) {
      const detail =
        error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
      throw new TestkitError('COORD_TESTKIT_COMMAND_FAILED', `etcdctl: ${detail}`, 'see its message', {
        cause: error,
      });
    }
  }

  async log(): Promise<string> {
    return readTail(this.#logFile, LOG_TAIL_BYTES);
  }

  get #logFile(): string {
    return join(this.#workspace.folder, 'etcd.log');
  }

  /** Undefined when etcd answers, else what happened instead. */
  async #firstAnswer(
    process: EtcdProcess,
    signal: AbortSignal,
    ready: 'serving' | 'listening',
  ): Promise<string | undefined> {
    const gone = new AbortController();
    void process.ended.then((end) => gone.abort(`ended with ${end}`));
    try {
      const options = { tls: this.#workspace.tls?.call, signal: AbortSignal.any([signal, gone.signal]) };
      if (ready === 'listening') await waitUntilListening(this.#peerListenUrl, options);
      else await waitUntilHealthy(this.endpoint, options);
      return process.running ? undefined : 'ended at once';
    } catch {
      return gone.signal.aborted ? String(gone.signal.reason) : 'was not healthy in time';
    }
  }

  get #host(): ResolvedHost {
    return this.#place?.host ?? LOOPBACK;
  }

  get #peerListenUrl(): string {
    return `http://${this.#host.directAddress}:${this.#ports?.peer ?? 0}`;
  }

  #args(): string[] {
    return etcdArgs(this.#settings, {
      dataDir: `${this.#workspace.folder}/data`, // the reaper knows etcd by this
      listenUrl: listenUrls(this.#host, this.#ports?.client ?? 0, this.#workspace.tls ? 'https' : 'http'),
      advertiseUrl: this.#place?.advertiseUrl ?? this.endpoint,
      cluster: this.#place?.cluster ?? alone(this.#peerListenUrl),
      version: this.version,
      tlsArgs: this.#workspace.tls?.serverArgs ?? [],
      logLevel: 'warn',
    });
  }
}

async function newPorts(): Promise<Ports> {
  const [client = 0, peer = 0] = await freePorts(2);
  return { client, peer };
}

async function readTail(file: string, bytes: number): Promise<string> {
  try {
    await using handle = await open(file, 'r');
    const { size } = await handle.stat();
    const length = Math.min(size, bytes);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString('utf8', 0, bytesRead);
  } catch {
    return ''; // nothing was logged
  }
}

function lastLines(text: string, count: number): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
