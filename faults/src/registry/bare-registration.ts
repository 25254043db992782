import { type CoordClient, NotFoundError, type Session } from '@coord/client';
import type { HealthStatus } from '@coord/registry';

interface Service {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly metadata: object;
}

/** A planted mistake: an instance that is put on a lease, and not again when the lease is lost. */
export class BareRegistration {
  state: 'registered' | 'deregistered' = 'registered';
  readonly #key: string;
  readonly #session: Session;

  private constructor(key: string, session: Session) {
    this.#key = key;
    this.#session = session;
  }

  static async register(client: CoordClient, key: string, service: Service): Promise<BareRegistration> {
    const session = await client.session({ ttlMs: 2_000 });
    const lastHeartbeat = new Date().toISOString();
    await client.kv.put(key, JSON.stringify({ ...service, health: 'healthy', lastHeartbeat }), { session });
    return new BareRegistration(key, session);
  }

  async updateHealth(_status: HealthStatus): Promise<void> {
    if (this.#session.state !== 'alive') throw new NotFoundError('the lease is gone', { key: this.#key });
  }

  async drain(): Promise<void> {
    await this.deregister();
  }

  async deregister(): Promise<void> {
    this.state = 'deregistered';
    await this.#session.close();
  }
}
