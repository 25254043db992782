import * as grpc from '@grpc/grpc-js';

const bytes = (value: Buffer) => value;

/** A service in gRPC, as a code generator would write it. */
export const greeter = {
  greet: {
    path: '/example.Greeter/Greet',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
} as const;

export class GreeterClient extends grpc.Client {
  greet(name: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.makeUnaryRequest(greeter.greet.path, bytes, bytes, Buffer.from(name), (error, answer) =>
        error ? reject(error) : resolve(String(answer)),
      );
    });
  }
}
