import * as grpc from '@grpc/grpc-js';

const same = (bytes: Buffer) => bytes;

const definition = {
  who: {
    path: '/test.Who/Who',
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
  ticks: {
    path: '/test.Who/Ticks',
    requestStream: false,
    responseStream: true,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
} as const;

/** As a code generator would write it. */
export class WhoClient extends grpc.Client {
  who(
    request: Buffer,
    options: grpc.CallOptions,
    callback: (error: grpc.ServiceError | null, answer?: Buffer) => void,
    metadata = new grpc.Metadata(),
  ): grpc.ClientUnaryCall {
    const { path, requestSerialize, responseDeserialize } = definition.who;
    return this.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
      options,
      callback,
    );
  }

  ticks(request: Buffer): grpc.ClientReadableStream<Buffer> {
    const { path, requestSerialize, responseDeserialize } = definition.ticks;
    return this.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  }
}

/** A real server that answers with its own name. */
export interface WhoServer {
  readonly name: string;
  readonly port: number;
  /** Calls received so far. */
  readonly calls: number;
  /** From how many connections they came. */
  readonly connections: number;
  /** Calls that wait for `release()`. */
  readonly held: number;
  /** Every call fails as UNAVAILABLE, though the connection is fine. */
  refuse(): void;
  /** Calls get no answer until `release()`. */
  hold(): void;
  release(): void;
  /** The `:authority` of the last call. */
  readonly authority: string;
  /** Sends one message to every open stream. */
  tick(): void;
  kill(): void;
}

export async function startWho(name: string, port = 0, server = new grpc.Server()): Promise<WhoServer> {
  const streams = new Set<grpc.ServerWritableStream<Buffer, Buffer>>();
  const peers = new Set<string>();
  const waiting = new Set<() => void>();
  let holds = false;
  let refuses = false;
  let calls = 0;
  let authority = '';
  server.addService(definition, {
    who: (call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) => {
      calls += 1;
      authority = call.getHost();
      peers.add(call.getPeer());
      if (refuses) return answer({ code: grpc.status.UNAVAILABLE, details: `${name} refuses` });
      const give = () => answer(null, Buffer.from(name));
      if (!holds) return give();
      if (call.cancelled) return;
      waiting.add(give);
      call.on('cancelled', () => waiting.delete(give));
    },
    ticks: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      streams.add(call);
      call.on('close', () => streams.delete(call));
      call.write(Buffer.from(name));
    },
  });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, actual) =>
      error ? reject(error) : resolve(actual),
    );
  });
  return {
    name,
    port: bound,
    get calls() {
      return calls;
    },
    get connections() {
      return peers.size;
    },
    get held() {
      return waiting.size;
    },
    refuse: () => {
      refuses = true;
    },
    hold: () => {
      holds = true;
    },
    release: () => {
      holds = false;
      for (const give of waiting) give();
      waiting.clear();
    },
    get authority() {
      return authority;
    },
    tick: () => {
      for (const stream of streams) stream.write(Buffer.from(name));
    },
    kill: () => server.forceShutdown(),
  };
}

/** One call: the name of the server that answered. */
export function who(
  client: WhoClient,
  deadlineMs = 5_000,
  metadata: Readonly<Record<string, string>> = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    client.who(
      Buffer.alloc(0),
      { deadline: Date.now() + deadlineMs },
      (error, answer) => (error ? reject(error) : resolve(String(answer))),
      grpc.Metadata.fromHttp2Headers(metadata),
    );
  });
}

/** How many of `count` calls, all begun at once, each server answered. */
export async function burst(client: WhoClient, count: number): Promise<Record<string, number>> {
  const answers: Record<string, number> = {};
  for (const name of await Promise.all(Array.from({ length: count }, () => who(client)))) {
    answers[name] = (answers[name] ?? 0) + 1;
  }
  return answers;
}

/** How many of `count` calls, one after the other, each server answered; `errors` = by status code. */
export async function tally(
  client: WhoClient,
  count: number,
): Promise<{ answers: Record<string, number>; errors: Record<string, number> }> {
  const answers: Record<string, number> = {};
  const errors: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    try {
      const name = await who(client);
      answers[name] = (answers[name] ?? 0) + 1;
    } catch (error) {
      const code = grpc.status[(error as grpc.ServiceError).code];
      errors[code] = (errors[code] ?? 0) + 1;
    }
  }
  return { answers, errors };
}
