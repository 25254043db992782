import * as grpc from '@grpc/grpc-js';
import { WHO } from './who-service.js';

/** How long an answer takes, so that some calls are always under way. */
const WORK_MS = 5;

/** A gRPC server at a port that is free. */
export class WhoServer {
  readonly #server = new grpc.Server();
  #refuses = false;
  port = 0;

  static async start(): Promise<WhoServer> {
    const who = new WhoServer();
    await who.#start();
    return who;
  }

  async #start(): Promise<void> {
    const answer = (_call: unknown, reply: grpc.sendUnaryData<Buffer>) => {
      if (this.#refuses) reply({ code: grpc.status.UNAVAILABLE, details: 'stopped' });
      else setTimeout(() => reply(null, Buffer.alloc(0)), WORK_MS);
    };
    this.#server.addService({ who: WHO }, { who: answer });
    const credentials = grpc.ServerCredentials.createInsecure();
    this.port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', credentials, (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
  }

  /** Takes no more calls, and says so to who calls. */
  refuse(): void {
    this.#refuses = true;
  }

  /** Resolves when the calls under way have their answers. */
  stop(): Promise<void> {
    return new Promise((resolve) => this.#server.tryShutdown(() => resolve()));
  }
}
