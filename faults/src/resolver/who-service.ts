import * as grpc from '@grpc/grpc-js';

const same = (bytes: Buffer) => bytes;

/** A service of one method, whose answer is of no interest. */
export const WHO: grpc.MethodDefinition<Buffer, Buffer> = {
  path: '/faults.Who/Who',
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};

const DEADLINE_MS = 10_000;

export class WhoClient extends grpc.Client {
  /** Never rejects. */
  who(): Promise<{ readonly code: number; readonly details: string; readonly peer: string }> {
    return new Promise((resolve) => {
      const { path, requestSerialize, responseDeserialize } = WHO;
      const options = { deadline: Date.now() + DEADLINE_MS };
      const call = this.makeUnaryRequest(
        ...([path, requestSerialize, responseDeserialize, Buffer.alloc(0)] as const),
        options,
        (error: grpc.ServiceError | null) => {
          const { code = grpc.status.OK, details = '' } = error ?? {};
          resolve({ code, details, peer: call.getPeer() });
        },
      );
    });
  }
}
