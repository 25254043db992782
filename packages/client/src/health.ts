/** What is known of one endpoint. */
export interface EndpointHealth {
  readonly endpoint: string;
  readonly state: 'unknown' | 'healthy' | 'unhealthy';
  /** Why it is unhealthy. */
  readonly reason?: string;
}

/** The state of the connection, per endpoint, observable. */
export interface Health {
  /** `ready`: the endpoint in use answers; `degraded`: the last call to it failed; `closed`. */
  readonly state: 'idle' | 'ready' | 'degraded' | 'closed';
  /** The endpoint in use. */
  readonly endpoint: string;
  readonly endpoints: readonly EndpointHealth[];
  /** Calls back at each change; returns the function that ends it. @throws {ValidationError} for what is no function */
  subscribe(callback: (health: Health) => void): () => void;
}
