/**
 * What grpc-js does to resolvers and their users, each trap by itself. Those of a channel and its resolver alone are in
 * ../src/service-resolver.test.ts: answers at once spin, none hang; pick_first holds on to removed addresses; a failed
 * list is kept, an empty one believed; idle channels come back to the same resolver; timers that keep a process alive.
 * Those of balancing are beside the balancer; of reconnecting in live-changes; of service configs in service-config.
 */
import { createRequire } from 'node:module';
import { eventually, startProxy } from '@coord/testkit';
import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { type GrpcModule, getConnection, registerResolver } from '../src/index.js';
import { reachesAll, useStage } from './service-stage.js';
import { startWho, tally, WhoClient, who } from './who-service.js';

const stage = useStage();

async function serve(name: string) {
  const service = stage.unique();
  return { service, ...(await stage.serve(service, name)) };
}

function handle(scheme: string, copy: GrpcModule = grpc) {
  const made = registerResolver({ registry: stage.registry, scheme, grpc: copy });
  stage.cleanLater(() => made.close());
  return made;
}

/** What a dependency of the user's with a @grpc/grpc-js of its own would load. */
function secondCopy(): typeof grpc {
  const require = createRequire(import.meta.url);
  const first = Object.entries(require.cache).filter(([file]) => file.includes('@grpc/grpc-js'));
  for (const [file] of first) delete require.cache[file];
  const copy: typeof grpc = require('@grpc/grpc-js');
  const second = Object.keys(require.cache).filter((file) => file.includes('@grpc/grpc-js'));
  // Both stay known to the process, as two folders on the disk would.
  for (const file of second) {
    const module = require.cache[file];
    if (module === undefined) continue;
    require.cache[file.replace('@grpc/grpc-js', 'elsewhere/@grpc/grpc-js')] = module;
    delete require.cache[file];
    stage.cleanLater(() => delete require.cache[file.replace('@grpc/grpc-js', 'elsewhere/@grpc/grpc-js')]);
  }
  for (const [file, module] of first) require.cache[file] = module;
  return copy;
}

describe('a second copy of grpc-js', () => {
  const call = (of: grpc.Client) =>
    new Promise<string>((resolve) => {
      const same = (bytes: Buffer) => bytes;
      const options = { deadline: Date.now() + 5_000 };
      of.makeUnaryRequest('/test.Who/Who', same, same, Buffer.alloc(0), options, (error, answer) =>
        resolve(error?.details ?? String(answer)),
      );
    });

  it('is warned of, since its clients would fail without a clue, and works once it is passed', async () => {
    const { service } = await serve('a');
    const copy = secondCopy();
    const warnings: Error[] = [];
    const listener = (warning: Error) => warnings.push(warning);
    process.on('warning', listener);
    stage.cleanLater(() => process.off('warning', listener));
    const first = handle('copies');
    await eventually(() => expect(warnings).toHaveLength(1));
    expect(warnings[0]).toMatchObject({
      code: 'COORD_GRPC_COPIES',
      message: expect.stringMatching(/"copies:" targets are not known to \S+elsewhere\S+grpc-js\S+$/),
      detail: expect.stringContaining('option `grpc`'),
    });
    const lost = new copy.Client(first.target(service), copy.credentials.createInsecure());
    stage.cleanLater(() => lost.close());
    expect(await call(lost)).toContain('Failed to parse DNS address');

    handle('copies', copy);
    const found = new copy.Client(first.target(service), copy.credentials.createInsecure());
    stage.cleanLater(() => found.close());
    expect(await call(found)).toBe('a');
    expect(warnings).toHaveLength(1);
  });

  it('is told from the first by its credentials, and has connections of its own', async () => {
    const { service } = await serve('a');
    const copy = secondCopy();
    const credentials = copy.credentials.createInsecure();
    await expect(getConnection(stage.registry, service, { credentials })).rejects.toThrow(/two copies/);
    const connection = await getConnection(stage.registry, service, {
      grpc: copy,
      credentials,
      strategy: 'weighted',
    });
    stage.cleanLater(() => connection.close());
    expect(await call(connection.client(copy.Client))).toBe('a');
  });
});

describe('an HTTP proxy in the environment', () => {
  it('is not asked in place of the resolver', async () => {
    const { service } = await serve('a');
    for (const name of ['grpc_proxy', 'http_proxy', 'https_proxy']) {
      const before = process.env[name];
      process.env[name] = 'http://127.0.0.1:9';
      stage.cleanLater(() => {
        if (before === undefined) delete process.env[name];
        else process.env[name] = before;
      });
    }
    const connection = await getConnection(stage.registry, service);
    stage.cleanLater(() => connection.close());
    expect(await who(connection.client(WhoClient))).toBe('a');

    const resolver = handle('proxied');
    const insecure = grpc.credentials.createInsecure();
    const through = new WhoClient(resolver.target(service), insecure, resolver.channelOptions());
    stage.cleanLater(() => through.close());
    expect(await who(through)).toBe('a');
    // The trap itself: without the options the proxy is asked.
    const trapped = new WhoClient(resolver.target(service), insecure);
    stage.cleanLater(() => trapped.close());
    await expect(who(trapped, 2_000)).rejects.toThrow();
  });
});

describe('the channel’s service config', () => {
  it.each(['pick_first', 'round_robin', 'weighted'] as const)(
    'stays in force when instances go, under %s',
    async (strategy) => {
      const { service, server } = await serve('a');
      const other = await startWho('b');
      stage.cleanLater(() => other.kill());
      const connection = await getConnection(stage.registry, service, {
        strategy,
        serviceConfig: { methodConfig: [{ name: [{}], timeout: '0.3s' }] },
      });
      stage.cleanLater(() => connection.close());
      const whos = connection.client(WhoClient);
      await eventually(async () => expect(await who(whos)).toBe('a')); // 300 ms may be short
      await stage.registry.register({ name: service, id: 'b', address: '127.0.0.1', port: other.port });
      await stage.registry.deregister(service, 'a');
      await eventually(async () => expect(await who(whos)).toBe('b'));
      other.hold();
      await expect(who(whos, 20_000)).rejects.toMatchObject({ code: grpc.status.DEADLINE_EXCEEDED });
      expect(server.held).toBe(0);
    },
  );
});

describe('GRPC_TRACE', () => {
  it('can print the options that tie a channel to its registry', () => {
    const options = handle('traced').channelOptions();
    expect(JSON.parse(JSON.stringify(options))).toEqual({ 'grpc.enable_http_proxy': 0 });
  });
});

describe.each(['round_robin', 'pick_first', 'weighted'] as const)(
  'an instance that goes, under %s',
  (strategy) => {
    it('finishes the calls and streams that it has, and gets no more', async () => {
      const { service, server, registration } = await serve('a');
      const { whos } = await stage.connectTo(service, { strategy });
      const stream = whos.ticks(Buffer.alloc(0));
      const received: string[] = [];
      stream.on('data', (bytes: Buffer) => received.push(String(bytes)));
      stream.on('error', (error) => received.push(error.message));
      await eventually(() => expect(received).toEqual(['a']));
      server.hold();
      const held = who(whos, 60_000);
      await eventually(() => expect(server.held).toBe(1));
      await stage.serve(service, 'b');
      await registration.deregister();
      await reachesAll(whos, 'b');
      const { calls } = server;
      expect(await tally(whos, 10)).toEqual({ answers: { b: 10 }, errors: {} });
      expect(server.calls).toBe(calls);
      server.tick();
      await eventually(() => expect(received).toEqual(['a', 'a']));
      server.release();
      expect(await held).toBe('a');
      stream.cancel();
    });
  },
);

describe.each(['round_robin', 'pick_first', 'weighted'] as const)(
  'a peer that accepts and says nothing, under %s',
  (strategy) => {
    it('keeps nobody from the others, and is called once it speaks', async () => {
      const service = stage.unique();
      const [silent, server] = await behindALine('a');
      silent.blackhole();
      await stage.registry.register({ name: service, id: 'a', address: silent.address });
      const { whos } = await stage.connectTo(service, { strategy });
      await expect(who(whos, 500)).rejects.toMatchObject({ code: grpc.status.DEADLINE_EXCEEDED });
      const { registration } = await stage.serve(service, 'b');
      await eventually(async () => expect(await who(whos, 20_000)).toBe('b'), { timeoutMs: 40_000 });
      silent.heal();
      await registration.deregister();
      await eventually(async () => expect(await who(whos, 20_000)).toBe('a'), { timeoutMs: 40_000 });
      expect(server.calls).toBeGreaterThan(0);
    });
  },
);

describe('a line that goes silent', () => {
  it('is left by the keepalive, and come back to', async () => {
    const service = stage.unique();
    const [line] = await behindALine('a');
    await stage.registry.register({ name: service, id: 'a', address: line.address });
    await stage.serve(service, 'b');
    const channelOptions = {
      'grpc.keepalive_time_ms': 500,
      'grpc.keepalive_timeout_ms': 500,
      'grpc.max_reconnect_backoff_ms': 500,
    };
    const { whos } = await stage.connectTo(service, { channelOptions });
    await reachesAll(whos, 'a', 'b');
    line.blackhole();
    await eventually(
      async () => {
        const outcomes = await Promise.allSettled(Array.from({ length: 4 }, () => who(whos, 1_000)));
        expect(outcomes.map((outcome) => outcome.status === 'fulfilled' && outcome.value)).toEqual([
          'b',
          'b',
          'b',
          'b',
        ]);
      },
      { timeoutMs: 30_000 },
    );
    line.cut();
    line.heal();
    await reachesAll(whos, 'a', 'b');
  });
});

async function behindALine(name: string) {
  const server = await startWho(name);
  stage.cleanLater(() => server.kill());
  const line = await startProxy({ target: `127.0.0.1:${server.port}` });
  stage.cleanLater(() => line.close());
  return [line, server] as const;
}
