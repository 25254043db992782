import type * as Grpc from '@grpc/grpc-js';
import type { GrpcModule } from './grpc-adapter.js';
import { HealthWatch } from './health-watch.js';
import type { ZonedCandidate } from './zone-preference.js';

type State = Grpc.connectivityState;

/** What our resolver adds to an endpoint; grpc-js hands endpoint objects through as they are. */
export interface InstanceEndpoint extends Grpc.experimental.Endpoint {
  readonly weight?: number;
  readonly zone?: string | undefined;
}

export interface BalancedInstanceOptions {
  readonly grpc: GrpcModule;
  readonly helper: Grpc.experimental.ChannelControlHelper;
  readonly address: string;
  readonly endpoint: InstanceEndpoint;
  readonly channelOptions: Grpc.ChannelOptions;
  readonly note: string;
  readonly healthCheckService: string | undefined;
  readonly changed: (previous: State, error: string | null) => void;
}

/** One instance and the connection to it: kept for as long as its address is in the list. */
export class BalancedInstance implements ZonedCandidate {
  readonly address: string;
  weight = 1;
  zone: string | undefined;
  readonly #options: BalancedInstanceOptions;
  readonly #leaf: Grpc.experimental.LeafLoadBalancer;
  /** Of the connection alone. */
  #connection: State;
  #health: HealthWatch | undefined;
  #state: State;
  /** Calls that have begun here and not ended. */
  #calls = 0;
  /** Calls picked in this turn of the event loop, which begin some microtasks later, or somewhere else. */
  #reserved = 0;

  constructor(options: BalancedInstanceOptions) {
    const { grpc, helper, address, endpoint, channelOptions, note } = options;
    const { createChildChannelControlHelper, LeafLoadBalancer } = grpc.experimental;
    this.#options = options;
    this.address = address;
    this.#connection = grpc.connectivityState.IDLE;
    this.#state = this.#connection;
    const own = createChildChannelControlHelper(helper, {
      updateState: (state, _picker, error) => this.#connectionIs(state, error),
    });
    this.#leaf = new LeafLoadBalancer(endpoint, own, channelOptions, note);
  }

  /** Of the connection and, where it is asked for, the server's health together. */
  get state(): State {
    return this.#state;
  }

  get ready(): boolean {
    return this.#state === this.#options.grpc.connectivityState.READY;
  }

  get callsInFlight(): number {
    return this.#calls + this.#reserved;
  }

  update({ weight = 1, zone }: InstanceEndpoint): void {
    this.weight = weight;
    this.zone = zone;
  }

  connect(): void {
    this.#leaf.startConnecting();
  }

  /** Calls in flight go on; the connection is closed some time after the last of them. */
  destroy(): void {
    this.#health?.stop();
    this.#leaf.destroy();
  }

  pick(call: Grpc.experimental.PickArgs): Grpc.experimental.PickResult {
    const result = this.#leaf.getPicker().pick(call);
    if (result.pickResultType !== this.#options.grpc.experimental.PickResultType.COMPLETE) return result;
    this.#reserved += 1;
    // A leaf has no callbacks of its own that these would replace.
    return { ...result, onCallStarted: this.#started, onCallEnded: this.#ended };
  }

  /** At the end of a turn: what was picked in it has begun by now, or will not begin here. */
  release(): void {
    this.#reserved = 0;
  }

  readonly #started = (): void => {
    this.#reserved = Math.max(0, this.#reserved - 1);
    this.#calls += 1;
  };

  readonly #ended = (): void => {
    this.#calls -= 1;
  };

  #connectionIs(state: State, error: string | null): void {
    const { READY, IDLE } = this.#options.grpc.connectivityState;
    const wasReady = this.#connection === READY;
    this.#connection = state;
    if (state === READY && !wasReady) this.#watchHealth();
    if (state !== READY) {
      this.#health?.stop();
      this.#health = undefined;
    }
    this.#publish(error);
    if (state === IDLE) this.#leaf.exitIdle(); // a lost connection is made anew, whether there are calls or not
  }

  #watchHealth(): void {
    const { grpc, healthCheckService } = this.#options;
    if (healthCheckService === undefined) return;
    const call = { metadata: new grpc.Metadata(), extraPickInfo: {} };
    const { subchannel } = this.#leaf.getPicker().pick(call);
    if (subchannel === null) return;
    const channel = subchannel.getChannel();
    this.#health = new HealthWatch(grpc, channel, healthCheckService, () => this.#publish(null));
  }

  #publish(error: string | null): void {
    const { READY, CONNECTING, TRANSIENT_FAILURE } = this.#options.grpc.connectivityState;
    const previous = this.#state;
    this.#state = this.#connection;
    if (this.#connection === READY && this.#health !== undefined) {
      if (this.#health.serving === undefined) this.#state = CONNECTING;
      if (this.#health.serving === false) this.#state = TRANSIENT_FAILURE;
    }
    const sick = this.#connection === READY && this.#state === TRANSIENT_FAILURE;
    this.#options.changed(previous, sick ? `${this.address} says that it is not serving` : error);
  }
}
