import type { LiveService } from '@coord/registry/internal';
import * as grpc from '@grpc/grpc-js';
import type { LiveServiceConfig } from '../src/channel-service-config.js';
import { registerScheme, type ServiceConfigJson } from '../src/grpc-adapter.js';
import { ServiceResolver } from '../src/service-resolver.js';
import { startWho, WhoClient, type WhoServer } from './who-service.js';

/** A list that the test changes by hand. */
export class HandMadeList implements LiveService {
  healthy: LiveService['healthy'];
  failure: unknown;
  closed = false;
  readonly #listeners = new Set<() => void>();

  get listeners(): number {
    return this.#listeners.size;
  }

  describe(): string {
    return 'made by hand';
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(...servers: { readonly port: number; readonly weight?: number; readonly zone?: string }[]): void {
    this.healthy = servers.map(({ port, weight = 1, zone }) => ({
      name: 'who',
      id: String(port),
      address: '127.0.0.1',
      port,
      metadata: {},
      health: 'healthy',
      weight,
      ...(zone !== undefined && { zone }),
      registerTime: new Date(0),
      lastHeartbeat: new Date(0),
    }));
    for (const listener of this.#listeners) listener();
  }
}

/** A service config that the test changes by hand. */
export class HandMadeConfig implements LiveServiceConfig {
  settled = true;
  #current: ServiceConfigJson;
  #changed: (() => void) | undefined;

  constructor(current: ServiceConfigJson = {}) {
    this.#current = current;
  }

  get current(): ServiceConfigJson {
    return this.#current;
  }

  start(changed: () => void): void {
    this.#changed = changed;
  }

  stop(): void {
    this.#changed = undefined;
  }

  settle(): void {
    this.settled = true;
    this.#changed?.();
  }

  set(config: ServiceConfigJson): void {
    this.#current = config;
    this.#changed?.();
  }
}

const cleanups: (() => void)[] = [];
let schemes = 0;

export function cleanUp(): void {
  for (const cleanup of cleanups.splice(0)) cleanup();
}

export function cleanLater(cleanup: () => void): void {
  cleanups.push(cleanup);
}

export async function server(name: string, on?: grpc.Server): Promise<WhoServer> {
  const started = await startWho(name, 0, on);
  cleanLater(() => started.kill());
  return started;
}

/** A client of a channel that follows the list; `resolves` counts how often grpc-js asked. */
export function follow(
  list: HandMadeList,
  { policy = 'round_robin', settings = {}, patienceMs = 200, options = {} as grpc.ChannelOptions } = {},
) {
  const scheme = `hand${++schemes}`;
  const initial = { loadBalancingConfig: [{ [policy]: settings }] };
  const config = new HandMadeConfig(initial);
  const counts = { resolves: 0, results: 0, constructed: 0 };
  registerScheme(grpc, scheme, {
    authority: () => 'who',
    create: (_target, sink) => {
      counts.constructed += 1;
      const resolver = new ServiceResolver({
        serviceName: 'who',
        open: () => list,
        follow: { patienceMs, subset: undefined },
        config,
        sink: {
          addresses: (...result) => {
            counts.results += 1;
            sink.addresses(...result);
          },
          unavailable: (...result) => {
            counts.results += 1;
            sink.unavailable(...result);
          },
        },
      });
      return {
        resolve: () => {
          counts.resolves += 1;
          resolver.resolve();
        },
        stop: () => resolver.stop(),
      };
    },
  });
  const client = new WhoClient(`${scheme}:///who`, grpc.credentials.createInsecure(), {
    'grpc.service_config': JSON.stringify(initial),
    'grpc.initial_reconnect_backoff_ms': 100,
    ...options,
  });
  cleanups.push(() => client.close());
  return { client, counts, config };
}
