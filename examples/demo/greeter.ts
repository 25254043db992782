import * as grpc from '@grpc/grpc-js';

interface HelloReply {
  readonly from: string;
}

/** A gRPC service by hand; code generated from a .proto file has the same shape. */
export const greeterService = {
  hello: {
    path: '/demo.Greeter/Hello',
    requestStream: false,
    responseStream: false,
    requestSerialize: (name: string) => Buffer.from(name),
    requestDeserialize: (bytes: Buffer) => bytes.toString(),
    responseSerialize: (reply: HelloReply) => Buffer.from(JSON.stringify(reply)),
    responseDeserialize: (bytes: Buffer): HelloReply => JSON.parse(bytes.toString()),
  },
} as const;

/** Its client. */
export class GreeterClient extends grpc.Client {
  hello(name: string, deadlineMs: number): Promise<HelloReply> {
    const { path, requestSerialize, responseDeserialize } = greeterService.hello;
    const options = { deadline: Date.now() + deadlineMs };
    return new Promise((resolve, reject) => {
      this.makeUnaryRequest(path, requestSerialize, responseDeserialize, name, options, (error, reply) => {
        if (reply === undefined) reject(error);
        else resolve(reply);
      });
    });
  }
}
