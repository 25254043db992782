import type { Candidate, Policy, Random } from './policies.js';

/**
 * What a zone can carry beyond its share. With it, a zone that has lost up to 28 % of its instances keeps all
 * of its calls, and one that has lost more hands on what it lacks.
 * @see https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/load_balancing/overprovisioning
 */
const OVERPROVISIONING = 1.4;

export interface ZonedCandidate extends Candidate {
  readonly ready: boolean;
}

/**
 * The instances that calls are spread over: those that are connected and weigh something (whatever is
 * connected, when nothing of it weighs anything), and of these preferably those of one zone.
 */
export class ZonePreference<C extends ZonedCandidate> {
  readonly #zone: string | undefined;
  readonly #random: Random;
  /** Each side has a policy of its own, so that turns are taken within it. */
  readonly #nearPolicy: Policy;
  readonly #farPolicy: Policy;
  #near: readonly C[] = [];
  #far: readonly C[] = [];
  /** Of the calls. */
  #nearShare = 1;

  constructor(policy: (random: Random) => Policy, zone: string | undefined, random: Random = Math.random) {
    this.#zone = zone;
    this.#random = random;
    this.#nearPolicy = policy(random);
    this.#farPolicy = policy(random);
  }

  update(instances: readonly C[]): void {
    const ready = instances.filter((instance) => instance.ready);
    const weighty = ready.filter(({ weight }) => weight > 0);
    const usable = weighty.length > 0 ? weighty : ready;
    const isNear = ({ zone }: C) => this.#zone === undefined || zone === this.#zone;
    this.#near = usable.filter(isNear);
    this.#far = usable.filter((instance) => !isNear(instance));
    const wanted = sumOfWeights(instances.filter(isNear));
    const there = sumOfWeights(this.#near);
    if (this.#near.length === 0) this.#nearShare = 0;
    else if (this.#far.length === 0 || wanted === 0) this.#nearShare = 1;
    else this.#nearShare = Math.min(1, (OVERPROVISIONING * there) / wanted);
  }

  /** @returns undefined when nothing is connected */
  pick(key: string | undefined): C | undefined {
    const near = this.#nearShare === 1 || (this.#nearShare > 0 && this.#random() < this.#nearShare);
    const side = near ? this.#near : this.#far;
    if (side.length === 0) return undefined;
    return (near ? this.#nearPolicy : this.#farPolicy).pick(side, key);
  }
}

function sumOfWeights(instances: readonly Candidate[]): number {
  return instances.reduce((sum, { weight }) => sum + weight, 0);
}
