import type * as Grpc from '@grpc/grpc-js';
import type { GrpcModule } from './grpc-adapter.js';
import { InstanceBalancer } from './instance-balancer.js';
import { registerLettingGo } from './letting-go.js';
import { POLICIES, type PolicyName } from './policies.js';
import { checkPolicySettings, isPolicyName, type PolicySettings } from './policy-settings.js';

/** Teaches this copy of grpc-js our policies, so that any service config can name them. Built-in ones stay as they are. */
export function registerPolicies(grpc: GrpcModule): void {
  registerLettingGo(grpc);
  for (const name of Object.keys(POLICIES).filter(isPolicyName)) {
    if (!grpc.experimental.isLoadBalancerNameRegistered(name)) registerPolicy(grpc, name);
  }
}

function registerPolicy(grpc: GrpcModule, name: PolicyName): void {
  class Config implements Grpc.experimental.TypedLoadBalancingConfig {
    readonly settings: PolicySettings;

    constructor(settings: PolicySettings) {
      this.settings = settings;
    }

    static createFromJson(json: unknown): Config {
      return new Config(checkPolicySettings(name, json));
    }

    getLoadBalancerName(): string {
      return name;
    }

    toJsonObject(): object {
      return { [name]: this.settings };
    }
  }

  class Balancer extends InstanceBalancer {
    constructor(helper: Grpc.experimental.ChannelControlHelper) {
      const settingsOf = (config: object) => (config instanceof Config ? config.settings : undefined);
      super({ grpc, name, helper, settingsOf });
    }
  }

  grpc.experimental.registerLoadBalancerType(name, Balancer, Config);
}
