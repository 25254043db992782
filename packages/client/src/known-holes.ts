import { hasFix } from './server-version.js';

/** A fault of etcd that a client can do nothing about, but that its user should know. */
export interface KnownHole {
  readonly what: string;
  /** The first release without it, in each line that was fixed; see `hasFix`. */
  readonly fixedIn: readonly string[];
  /** It matters only where users have permissions. */
  readonly permissions: boolean;
  readonly see: string;
}

export const NESTED_TXN_BYPASS: KnownHole = {
  what: 'a Txn within a Txn goes round the permissions of users',
  fixedIn: ['3.4.42', '3.5.28', '3.6.9'],
  permissions: true,
  see: 'https://github.com/etcd-io/etcd/security/advisories/GHSA-rfx7-8w68-q57q',
};

export const PUT_IN_TXN_BYPASS: KnownHole = {
  what: 'a put in a Txn can read the previous value and attach a lease without permission',
  fixedIn: ['3.4.44', '3.5.30', '3.6.11'],
  permissions: true,
  see: 'https://github.com/etcd-io/etcd/security/advisories/GHSA-x35m-3gp4-4fh5',
};

/** Server faults of DESIGN §12, by the changelogs of etcd. */
export const KNOWN_HOLES: readonly KnownHole[] = [
  NESTED_TXN_BYPASS,
  PUT_IN_TXN_BYPASS,
  {
    what: 'who may read one key can watch every key after it',
    fixedIn: ['3.5.33', '3.6.14', '3.7.1'],
    permissions: true,
    see: 'https://github.com/etcd-io/etcd/security/advisories/GHSA-xg4h-6gfc-h4m8',
  },
  {
    what: 'a linearizable read can be stale after a member was paused or the leader changed',
    fixedIn: ['3.4.42', '3.5.28', '3.6.9'],
    permissions: false,
    see: 'https://github.com/etcd-io/etcd/pull/21421',
  },
  {
    what: 'a keepalive of a revoked lease can be answered as if the lease lived',
    fixedIn: ['3.4.38', '3.5.23', '3.6.5'],
    permissions: false,
    see: 'https://github.com/etcd-io/etcd/pull/20616',
  },
  {
    what: 'a slow watch whose place is compacted meanwhile can skip to the present without a word',
    fixedIn: ['3.4.31', '3.5.13'],
    permissions: false,
    see: 'https://github.com/etcd-io/etcd/issues/17529',
  },
];

/** The holes of a server of this version, for a client with or without an identity. */
export function holesOf(version: string, hasIdentity: boolean): readonly KnownHole[] {
  return KNOWN_HOLES.filter(
    ({ permissions, fixedIn }) => (hasIdentity || !permissions) && !hasFix(version, fixedIn),
  );
}
