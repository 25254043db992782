import { NESTED_TXN_BYPASS } from './known-holes.js';
import { hasFix } from './server-version.js';

/**
 * What may be asked of the server behind an endpoint. As long as its version is not known, which is
 * until it has answered once on each new connection, it counts as one that has no fix.
 */
export interface ServerCapabilities {
  /** The lowest version among the members that have told theirs, such as `3.5.16`; undefined while the endpoint's own is unknown. */
  readonly version: string | undefined;
  /**
   * A Txn may hold a Txn. True for a client without an identity (neither password nor client
   * certificate), and where every known member checks the permissions of nested operations.
   */
  readonly nestedTxnSafe: boolean;
  /** The quota of the database counts what nested operations write; else look at the alarms of `Status` while nesting. */
  readonly nestedTxnQuota: boolean;
  /** The answer to a watch's `progress_request` never overtakes events. */
  readonly progressInOrder: boolean;
}

/** `costTxnReq ignores nested RequestTxn`: https://github.com/etcd-io/etcd/pull/22167 */
const NESTED_TXN_QUOTA_FIXED = ['3.5.33', '3.6.14', '3.7.1'];
/** https://github.com/etcd-io/etcd/pull/15695 */
const PROGRESS_ORDER_FIXED = ['3.4.25', '3.5.8'];

/** @param version the lowest one that counts; undefined = unknown */
export function capabilitiesOf(version: string | undefined, hasIdentity: boolean): ServerCapabilities {
  return {
    version,
    nestedTxnSafe: !hasIdentity || hasFix(version, NESTED_TXN_BYPASS.fixedIn),
    nestedTxnQuota: hasFix(version, NESTED_TXN_QUOTA_FIXED),
    progressInOrder: hasFix(version, PROGRESS_ORDER_FIXED),
  };
}
