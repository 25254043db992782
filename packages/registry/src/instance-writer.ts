import type { KeyClaim, PublishOptions } from './key-claim.js';
import type { OwnInstance } from './own-instance.js';
import type { RegistrationLease } from './registration-lease.js';
import type { ServiceInfo } from './service-info.js';
import type { StoredInstance } from './service-value.js';

export interface WriteOptions extends PublishOptions {
  /** An operator's health that is found there stays. */
  readonly yields?: boolean;
}

/** Writes an instance to its key as it is by then, one write after the other. */
export class InstanceWriter {
  readonly #claim: KeyClaim;
  readonly #lease: RegistrationLease;
  readonly #instance: OwnInstance;
  #writing: Promise<void> = Promise.resolve();

  constructor(claim: KeyClaim, lease: RegistrationLease, instance: OwnInstance) {
    this.#claim = claim;
    this.#lease = lease;
    this.#instance = instance;
  }

  /** Resolves when nothing is being written; what fails is told to who has asked for it. */
  get idle(): Promise<void> {
    return this.#writing;
  }

  /** On the present lease. @throws as {@link KeyClaim.publish}, and {@link RegistrationLease.session} */
  async write(options: WriteOptions): Promise<void> {
    const { session } = this.#lease;
    const write = this.#writing.then(async () => {
      let written: ServiceInfo | undefined;
      const info = (found?: StoredInstance) => {
        const operatorWins = options.yields === true && this.#instance.adopt(found);
        written = operatorWins ? undefined : this.#instance.toWrite();
        return written;
      };
      await this.#claim.publish(info, session, options);
      if (written) this.#instance.stored(written);
    });
    this.#writing = write.catch(() => undefined);
    await write;
  }
}
