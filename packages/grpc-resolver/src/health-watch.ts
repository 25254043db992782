import { decodeHealthStatus, encodeHealthRequest, SERVING } from '@coord/registry/internal';
import type * as Grpc from '@grpc/grpc-js';
import type { GrpcModule } from './grpc-adapter.js';

type Channel = ReturnType<Grpc.experimental.SubchannelInterface['getChannel']>;

const PATH = '/grpc.health.v1.Health/Watch';
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
    this.#request = encodeHealthRequest(service);
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
      decodeHealthStatus,
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
