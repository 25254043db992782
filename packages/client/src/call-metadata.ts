import type * as grpc from '@grpc/grpc-js';
import type { Connection } from './etcd-channel.js';

interface Prepared {
  readonly token: string | undefined;
  readonly withLeader: grpc.Metadata;
  readonly anyMember: grpc.Metadata;
}

/** What was prepared for each connection's last token: grpc-js copies what it is given, so all calls can share it. */
const prepared = new WeakMap<Connection, Prepared>();

/**
 * What goes along with a call. Do not change it: it is shared.
 * @param requireLeader a member without a leader then fails at once instead of hanging: etcd's `WithRequireLeader`
 */
export function callMetadata(
  connection: Connection,
  token: string | undefined,
  requireLeader: boolean,
): grpc.Metadata {
  let metadata = prepared.get(connection);
  if (metadata === undefined || metadata.token !== token) {
    metadata = prepare(connection, token);
    prepared.set(connection, metadata);
  }
  return requireLeader ? metadata.withLeader : metadata.anyMember;
}

function prepare(connection: Connection, token: string | undefined): Prepared {
  const anyMember = connection.metadata.clone();
  if (token !== undefined) anyMember.set('token', token);
  const withLeader = anyMember.clone();
  withLeader.set('hasleader', 'true');
  return { token, withLeader, anyMember };
}
