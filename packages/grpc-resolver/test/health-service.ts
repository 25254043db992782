import * as grpc from '@grpc/grpc-js';

const STATUSES = { SERVING: 1, NOT_SERVING: 2 } as const;
type Status = keyof typeof STATUSES;

const same = (bytes: Buffer) => bytes;

/** A server that says by grpc.health.v1 how the named service is. */
export function startHealth(service: string): { readonly server: grpc.Server; set(status: Status): void } {
  const server = new grpc.Server();
  const watchers = new Set<grpc.ServerWritableStream<Buffer, Buffer>>();
  let status: Status = 'SERVING';
  const answer = () => Buffer.from([0x08, STATUSES[status]]);
  const watch = {
    path: '/grpc.health.v1.Health/Watch',
    requestStream: false,
    responseStream: true,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  } as const;
  server.addService(
    { watch },
    {
      watch: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
        const asked = String(call.request.subarray(2));
        if (asked !== service) {
          call.destroy(new Error(`asked for ${asked}`));
          return;
        }
        watchers.add(call);
        call.on('close', () => watchers.delete(call));
        call.write(answer());
      },
    },
  );
  return {
    server,
    set: (now) => {
      status = now;
      for (const watcher of watchers) watcher.write(answer());
    },
  };
}
