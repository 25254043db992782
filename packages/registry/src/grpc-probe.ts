import { Client, credentials } from '@grpc/grpc-js';
import { formatHostPort, type HostPort } from './address.js';
import { decodeHealthStatus, encodeHealthRequest, SERVING } from './grpc-health-codec.js';

const PATH = '/grpc.health.v1.Health/Check';
/** A connection of its own for each run: a server that accepts none any more shall not pass. */
const OPTIONS = {
  'grpc.enable_http_proxy': 0,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
};

/** Resolves when the server says by grpc.health.v1 that the service is SERVING. */
export function probeGrpc({ host, port }: HostPort, service: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const client = new Client(formatHostPort(host, port), credentials.createInsecure(), OPTIONS);
    const call = client.makeUnaryRequest(
      PATH,
      (bytes: Buffer) => bytes,
      decodeHealthStatus,
      encodeHealthRequest(service),
      (error, status) => {
        signal.removeEventListener('abort', onAbort);
        client.close();
        if (error) reject(error);
        else if (status === SERVING) resolve();
        else reject(new Error(`answers with serving status ${status}`));
      },
    );
    const onAbort = () => call.cancel();
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
