import { type Counter, counter, type Meter, type MetricDefinition } from '@coord/client/internal';

export const RESOLVER_UPDATES: MetricDefinition = {
  name: 'coord.resolver.updates',
  unit: '{update}',
  description: 'Lists of addresses, or reasons for none, that were given to gRPC channels',
};

/** What a channel was given: addresses, an empty list, or a reason why nothing is known. */
export type ResolverResult = 'addresses' | 'empty' | 'unavailable';

/** Counts what channels are given. */
export class UpdateCounter {
  readonly #updates: Counter;

  constructor(meter: Meter) {
    this.#updates = counter(meter, RESOLVER_UPDATES);
  }

  add(result: ResolverResult): void {
    this.#updates.add(1, { 'coord.resolver.result': result });
  }
}
