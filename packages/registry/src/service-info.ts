/** Whether an instance should get traffic. `maintenance` = taken out on purpose. */
export type HealthStatus = 'unknown' | 'healthy' | 'unhealthy' | 'maintenance';

/** In the order in which the Go design numbers them, from 0. */
export const HEALTH_STATUSES: readonly HealthStatus[] = ['unknown', 'healthy', 'unhealthy', 'maintenance'];

/** One instance of a service, as discovery sees it. Immutable. */
export interface ServiceInfo {
  /** The service: `user-service`. */
  readonly name: string;
  /** The instance; unique within the service. */
  readonly id: string;
  /** Host name or IP address, an IPv6 address without brackets. */
  readonly address: string;
  readonly port: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly health: HealthStatus;
  /** Share of the traffic relative to the other instances, for weighted balancing. */
  readonly weight: number;
  readonly zone?: string;
  readonly version?: string;
  readonly tags?: readonly string[];
  /** When it was first registered; the epoch (1970) when its writer did not say. */
  readonly registerTime: Date;
  /**
   * When its owner last wrote it: registered it, brought it back, or changed its health; the epoch when its writer did
   * not say. Not every heartbeat is written, since each would wake every watcher: that the owner lives is what the
   * lease says, so while a live list has the instance, its owner has been heard of within its TTL.
   */
  readonly lastHeartbeat: Date;
}

/** What to register. */
export interface ServiceRegistration {
  /** The service: one key segment, no `/`. */
  readonly name: string;
  /** The instance. Registering an id again replaces it. @default a random UUID */
  readonly id?: string | undefined;
  /** `10.0.0.1` with `port` beside it, or `10.0.0.1:8080`, or `[::1]:8080`. */
  readonly address: string;
  readonly port?: number | undefined;
  /** A plain object with anything your own consumers need to know. Values are strings, as Go's readers expect. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** @default 'healthy' */
  readonly health?: HealthStatus | undefined;
  /** From 0, for no calls at all, to 1,000,000,000. @default 1 */
  readonly weight?: number | undefined;
  readonly zone?: string | undefined;
  readonly version?: string | undefined;
  readonly tags?: readonly string[] | undefined;
}
