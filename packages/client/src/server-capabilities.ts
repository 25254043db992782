import { NESTED_TXN_BYPASS, PUT_IN_TXN_BYPASS } from './known-holes.js';
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
  /**
   * A put that attaches a lease or answers with the previous value needs the same permissions in a Txn as by
   * itself. True for a client without an identity.
   */
  readonly putInTxnSafe: boolean;
}

/** @param version the lowest one that counts; undefined = unknown */
export function capabilitiesOf(version: string | undefined, hasIdentity: boolean): ServerCapabilities {
  return {
    version,
    nestedTxnSafe: !hasIdentity || hasFix(version, NESTED_TXN_BYPASS.fixedIn),
    putInTxnSafe: !hasIdentity || hasFix(version, PUT_IN_TXN_BYPASS.fixedIn),
  };
}
