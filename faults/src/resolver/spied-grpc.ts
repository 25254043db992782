import type { GrpcModule } from '@coord/grpc-resolver';
import * as grpc from '@grpc/grpc-js';

type Listener = grpc.experimental.ResolverListener;
type Result = Parameters<Listener>;
type ResolverConstructor = Parameters<typeof grpc.experimental.registerResolver>[1];

/** The name of a channel, among its options. */
const NAME = 'faults.channel';

export interface SpiedGrpc {
  readonly grpc: GrpcModule;
  /** Of a channel of this name. */
  channelOptions(name: string): grpc.ChannelOptions;
  /** Gives a channel no addresses, as a resolver would that believes a lost connection: a planted mistake. */
  empty(name: string): void;
}

/** grpc-js, which tells what name resolvers give to channels. */
export function spiedGrpc(onList: (channel: string, addresses: readonly string[]) => void): SpiedGrpc {
  const empties = new Map<string, () => void>();

  const registerResolver = (scheme: string, Resolver: ResolverConstructor) => {
    class SpiedResolver extends Resolver {
      constructor(target: grpc.experimental.GrpcUri, listener: Listener, options: grpc.ChannelOptions) {
        const name = String(options[NAME]);
        const spied = spiedListener(listener, (addresses) => onList(name, addresses));
        super(target, spied.listener, options);
        empties.set(name, spied.empty);
      }
    }
    grpc.experimental.registerResolver(scheme, SpiedResolver);
  };
  return {
    grpc: { ...grpc, experimental: { ...grpc.experimental, registerResolver } },
    channelOptions: (name) => ({ [NAME]: name }),
    empty: (name) => empties.get(name)?.(),
  };
}

/** What comes in one turn is one list, the last: before a list without some address, some policies are told to let go of all. */
function spiedListener(listener: Listener, onList: (addresses: readonly string[]) => void) {
  let last: Result | undefined;
  let given: readonly string[] | undefined;
  const spied: Listener = (...result) => {
    const [endpoints] = result;
    if (endpoints.ok) {
      last = result;
      if (given === undefined) {
        queueMicrotask(() => {
          onList(given ?? []);
          given = undefined;
        });
      }
      given = endpoints.value.map(addressOf).sort();
    }
    return listener(...result);
  };
  const empty = () => {
    if (last === undefined) return;
    const [, attributes, config] = last;
    spied(grpc.experimental.statusOrFromValue([]), attributes, config, 'planted');
  };
  return { listener: spied, empty };
}

function addressOf({ addresses: [address] }: grpc.experimental.Endpoint): string {
  return address !== undefined && 'host' in address ? `${address.host}:${address.port}` : '';
}
