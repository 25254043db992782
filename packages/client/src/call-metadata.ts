import type * as grpc from '@grpc/grpc-js';
import type { Connection } from './etcd-channel.js';

/** What goes along with a call. The connection's own metadata is shared, so this is a copy. */
export function callMetadata(
  connection: Connection,
  token: string | undefined,
  requireLeader: boolean,
): grpc.Metadata {
  const metadata = connection.metadata.clone();
  // A member without a leader then fails at once instead of hanging: etcd's `WithRequireLeader`.
  if (requireLeader) metadata.set('hasleader', 'true');
  if (token !== undefined) metadata.set('token', token);
  return metadata;
}
