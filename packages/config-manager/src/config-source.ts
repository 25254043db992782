/** Tells a manager what the centre has, from its making until `close`. */
export interface ConfigSource {
  /** Whether a change in etcd would be noticed now. */
  readonly live: boolean;
  /**
   * Asks etcd now. Resolves when what it has (or something newer) has been told.
   * @throws {CoordError} when etcd cannot be asked @throws the reason of `signal`
   */
  refresh(signal: AbortSignal, timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

export interface SourceCallbacks {
  readonly onError: (error: unknown) => void;
}
