import type * as Grpc from '@grpc/grpc-js';
import type { GrpcModule } from './grpc-adapter.js';

type Channel = ReturnType<Grpc.experimental.SubchannelInterface['getChannel']>;

const PATH = '/grpc.health.v1.Health/Watch';
/** `HealthCheckResponse.ServingStatus.SERVING`. */
const SERVING = 1;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

/**
 * Watches how one server says it is, over the connection that its calls use. A server without the health
 * service counts as serving.
 * @see https://github.com/grpc/proposal/blob/master/A17-client-side-health-checking.md
 */
export class HealthWatch {
  readonly #client: Grpc.Client;
  readonly #unimplemented: number;
  readonly #request: Buffer;
  readonly #changed: () => void;
  #call: Grpc.ClientReadableStream<number> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = FIRST_RETRY_MS;
  #stopped = false;
  #serving: boolean | undefined;

  constructor(grpc: GrpcModule, channel: Channel, service: string, changed: () => void) {
    // With a channel of its own it takes neither the address nor the credentials.
    this.#client = new grpc.Client('', grpc.credentials.createInsecure(), { channelOverride: channel });
    this.#unimplemented = grpc.status.UNIMPLEMENTED;
    this.#request = encodeRequest(service);
    this.#changed = changed;
    this.#watch();
  }

  /** Undefined until the server has answered. */
  get serving(): boolean | undefined {
    return this.#serving;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#call?.cancel();
  }

  #watch(): void {
    const call = this.#client.makeServerStreamRequest(
      PATH,
      (bytes: Buffer) => bytes,
      decodeStatus,
      this.#request,
    );
    this.#call = call;
    call.on('data', (status: number) => {
      this.#retryMs = FIRST_RETRY_MS;
      this.#set(status === SERVING);
    });
    call.on('error', () => undefined); // 'status' follows, and says the same
    call.on('status', ({ code }) => {
      if (this.#stopped) return;
      if (code === this.#unimplemented) return this.#set(true);
      this.#set(false);
      this.#retry = setTimeout(() => this.#watch(), this.#retryMs);
      this.#retry.unref();
      this.#retryMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS);
    });
  }

  #set(serving: boolean): void {
    if (this.#stopped || serving === this.#serving) return;
    this.#serving = serving;
    this.#changed();
  }
}

/** `HealthCheckRequest`: field 1, the service's name. */
function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const length: number[] = [];
  let rest = name.length;
  for (; rest > 0x7f; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
  return Buffer.from([0x0a, ...length, rest, ...name]);
}

/** `HealthCheckResponse`: field 1, the status, which is left out when it is 0. */
function decodeStatus(bytes: Buffer): number {
  return bytes[0] === 0x08 ? (bytes[1] ?? 0) : 0;
}
