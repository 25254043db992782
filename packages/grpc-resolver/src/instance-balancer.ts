import type * as Grpc from '@grpc/grpc-js';
import { BalancedInstance, type InstanceEndpoint } from './balanced-instance.js';
import type { GrpcModule } from './grpc-adapter.js';
import { POLICIES, type PolicyName } from './policies.js';
import type { PolicySettings } from './policy-settings.js';
import { ZonePreference } from './zone-preference.js';

type Experimental = typeof Grpc.experimental;
type State = Grpc.connectivityState;

export interface InstanceBalancerOptions {
  readonly grpc: GrpcModule;
  readonly name: PolicyName;
  readonly helper: Grpc.experimental.ChannelControlHelper;
  /** The settings in a config of this policy; undefined for anything else. */
  readonly settingsOf: (config: Grpc.experimental.TypedLoadBalancingConfig) => PolicySettings | undefined;
}

/**
 * The balancing policy of grpc-js behind all our names. It keeps a connection to every instance, and the
 * connections of those that stay over every change of the list.
 */
export class InstanceBalancer implements Grpc.experimental.LoadBalancer {
  readonly #options: InstanceBalancerOptions;
  readonly #experimental: Experimental;
  /** One for good: it looks at what is connected at the time. */
  readonly #picker: Grpc.experimental.Picker;
  #settings: PolicySettings = {};
  #instances: ReadonlyMap<string, BalancedInstance> = new Map();
  #choice: ZonePreference<BalancedInstance>;
  #choiceOutdated = false;
  /** How many instances are in each state, by the state's number. */
  readonly #inState: number[] = [];
  #reported: State | undefined;
  #updating = false;
  #lastError = 'the list has not arrived';
  #releaseReserved: NodeJS.Immediate | undefined;

  constructor(options: InstanceBalancerOptions) {
    this.#options = options;
    this.#experimental = options.grpc.experimental;
    this.#choice = new ZonePreference(POLICIES[options.name], undefined);
    this.#picker = { pick: (call) => this.#pick(call) };
  }

  updateAddressList(
    endpoints: Grpc.experimental.StatusOr<Grpc.experimental.Endpoint[]>,
    config: Grpc.experimental.TypedLoadBalancingConfig,
    options: Grpc.ChannelOptions,
    note: string,
  ): boolean {
    const settings = this.#options.settingsOf(config);
    if (settings === undefined) return false;
    const { healthCheckService } = this.#settings;
    this.#use(settings);
    if (endpoints.ok) {
      const keep = healthCheckService === settings.healthCheckService;
      this.#updating = true;
      this.#replaceInstances(endpoints.value, keep, options, note);
      this.#updating = false;
      if (endpoints.value.length === 0) this.#lastError = `the list is empty: ${note}`;
    } else if (this.#instances.size === 0) {
      this.#lastError = endpoints.error.details;
    }
    this.#report();
    return true;
  }

  exitIdle(): void {
    // It never is idle: every instance is kept connected.
  }

  resetBackoff(): void {
    // Backing off is up to the connections.
  }

  destroy(): void {
    for (const instance of this.#instances.values()) instance.destroy();
    this.#instances = new Map();
    clearImmediate(this.#releaseReserved);
  }

  getTypeName(): string {
    return this.#options.name;
  }

  #use(settings: PolicySettings): void {
    if (settings.zone !== this.#settings.zone) {
      this.#choice = new ZonePreference(POLICIES[this.#options.name], settings.zone);
      this.#choiceOutdated = true;
    }
    this.#settings = settings;
  }

  #replaceInstances(
    endpoints: readonly InstanceEndpoint[],
    keep: boolean,
    options: Grpc.ChannelOptions,
    note: string,
  ): void {
    const before = this.#instances;
    const now = new Map<string, BalancedInstance>();
    const added: BalancedInstance[] = [];
    for (const endpoint of endpoints) {
      const address = this.#experimental.endpointToString(endpoint);
      if (now.has(address)) continue;
      let instance = keep ? before.get(address) : undefined;
      if (instance === undefined) {
        instance = this.#instanceAt(address, endpoint, options, note);
        added.push(instance);
      }
      instance.update(endpoint);
      now.set(address, instance);
    }
    this.#instances = now;
    this.#choiceOutdated = true;
    // First come the new, so that a connection which both have use of stays.
    for (const instance of added) instance.connect();
    for (const [address, instance] of before) {
      if (now.get(address) === instance) continue;
      this.#count(instance.state, -1);
      instance.destroy();
    }
  }

  #instanceAt(
    address: string,
    endpoint: InstanceEndpoint,
    channelOptions: Grpc.ChannelOptions,
    note: string,
  ): BalancedInstance {
    const { grpc, helper } = this.#options;
    const { healthCheckService } = this.#settings;
    const instance: BalancedInstance = new BalancedInstance({
      ...{ grpc, helper, address, endpoint, channelOptions, note, healthCheckService },
      changed: (previous, error) => this.#changed(instance, previous, error),
    });
    this.#count(instance.state, 1);
    return instance;
  }

  #changed(instance: BalancedInstance, previous: State, error: string | null): void {
    if (this.#instances.get(instance.address) !== instance) return; // on its way out
    this.#count(previous, -1);
    this.#count(instance.state, 1);
    this.#choiceOutdated = true;
    if (error !== null) this.#lastError = error;
    this.#report();
  }

  #count(state: State, change: number): void {
    this.#inState[state] = (this.#inState[state] ?? 0) + change;
  }

  /** Tells the channel what all connections together amount to. */
  #report(): void {
    if (this.#updating) return;
    const { grpc, name, helper } = this.#options;
    const { READY, CONNECTING, IDLE, TRANSIENT_FAILURE } = grpc.connectivityState;
    const any = (state: State) => (this.#inState[state] ?? 0) > 0;
    const state = any(READY) ? READY : any(CONNECTING) || any(IDLE) ? CONNECTING : TRANSIENT_FAILURE;
    if (state === this.#reported && state !== TRANSIENT_FAILURE) return;
    this.#reported = state;
    const { QueuePicker, UnavailablePicker } = this.#experimental;
    if (state === READY) helper.updateState(state, this.#picker, null);
    else if (state === CONNECTING) helper.updateState(state, new QueuePicker(this), null);
    else {
      const details = `${name}: no instance is connected; ${this.#lastError}`;
      helper.updateState(state, new UnavailablePicker({ details }), details);
    }
  }

  #pick(call: Grpc.experimental.PickArgs): Grpc.experimental.PickResult {
    if (this.#choiceOutdated) {
      this.#choiceOutdated = false;
      this.#choice.update([...this.#instances.values()]);
    }
    const instance = this.#choice.pick(this.#keyOf(call));
    // The channel is told in the turn in which the last connection is lost, so this is for that very turn.
    if (instance === undefined) return new this.#experimental.QueuePicker(this).pick(call);
    this.#releaseReserved ??= setImmediate(() => this.#release());
    return instance.pick(call);
  }

  #keyOf({ metadata }: Grpc.experimental.PickArgs): string | undefined {
    const { hashKey } = this.#settings;
    if (hashKey === undefined) return undefined;
    const values = metadata.get(hashKey);
    return values.length === 0 ? undefined : values.join(',');
  }

  #release(): void {
    this.#releaseReserved = undefined;
    for (const instance of this.#instances.values()) instance.release();
  }
}
