/** A change as etcd's own log has it. */
export interface EtcdEvent {
  readonly revision: number;
  readonly type: 'put' | 'delete';
  readonly key: string;
  /** Empty for a delete; one of more than 64 KiB by its hash (`seenValue`). */
  readonly value: string;
  /** 0 for a delete. */
  readonly createRevision: number;
  /** When it was heard of, in microseconds of CLOCK_MONOTONIC: never before it happened. */
  readonly seenAt: number;
}
