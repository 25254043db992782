import type * as Grpc from '@grpc/grpc-js';
import type { GrpcModule } from './grpc-adapter.js';

/** The policy of a channel that changes from one list of addresses to another. */
export const LETTING_GO = 'coord_letting_go';

/**
 * Teaches this copy of grpc-js a policy that connects to nobody: what took its place before lets go of its addresses, and calls
 * wait until what takes its place next is connected. round_robin without an address would do, but fails those that wait already.
 */
export function registerLettingGo(grpc: GrpcModule): void {
  const { experimental, connectivityState } = grpc;
  if (experimental.isLoadBalancerNameRegistered(LETTING_GO)) return;

  class Config implements Grpc.experimental.TypedLoadBalancingConfig {
    static createFromJson(): Config {
      return new Config();
    }

    getLoadBalancerName(): string {
      return LETTING_GO;
    }

    toJsonObject(): object {
      return { [LETTING_GO]: {} };
    }
  }

  class LettingGo implements Grpc.experimental.LoadBalancer {
    readonly #helper: Grpc.experimental.ChannelControlHelper;

    constructor(helper: Grpc.experimental.ChannelControlHelper) {
      this.#helper = helper;
    }

    updateAddressList(): boolean {
      this.#helper.updateState(connectivityState.IDLE, new experimental.QueuePicker(this), null);
      return true;
    }

    exitIdle(): void {
      // There is nobody to connect to.
    }

    resetBackoff(): void {
      // There is nothing to wait for.
    }

    destroy(): void {
      // There is nothing to let go of.
    }

    getTypeName(): string {
      return LETTING_GO;
    }
  }

  experimental.registerLoadBalancerType(LETTING_GO, LettingGo, Config);
}
