/** Channels to what other systems have registered: real servers under the keys and values of go-kratos and go-zero. */
import { createRegistry, goKratosCodec, goZeroCodec, type ServiceCodec } from '@coord/registry';
import { describe, expect, it } from 'vitest';
import { reachesAll, useStage } from './service-stage.js';
import { startWho, tally } from './who-service.js';

const stage = useStage();

interface System {
  readonly codec: ServiceCodec;
  readonly service: string;
  entry(id: number, port: number): { readonly key: string; readonly value: string };
}

const SYSTEMS: Readonly<Record<string, System>> = {
  'go-kratos': {
    codec: goKratosCodec(),
    service: 'helloworld',
    entry: (id, port) => ({
      key: `/microservices/helloworld/pod-${id}`,
      value: JSON.stringify({
        id: `pod-${id}`,
        name: 'helloworld',
        version: 'v1',
        metadata: null,
        endpoints: [`http://127.0.0.1:1?isSecure=false`, `grpc://127.0.0.1:${port}?isSecure=false`],
      }),
    }),
  },
  'go-zero': {
    codec: goZeroCodec(),
    service: 'greet.rpc',
    entry: (id, port) => ({ key: `greet.rpc/758784894323947213${id}`, value: `127.0.0.1:${port}` }),
  },
};

describe.each(Object.entries(SYSTEMS))('%s', (_, { codec, service, entry }) => {
  it('is called like any other, and followed as its servers come and go', async () => {
    const { kv } = stage.client;
    const registry = createRegistry(stage.client, { codec });
    stage.cleanLater(() => registry.close());
    const servers = await Promise.all(['a', 'b'].map((name) => startWho(name)));
    const entries = servers.map(({ port }, id) => entry(id, port));
    for (const [index, server] of servers.entries()) {
      stage.cleanLater(() => server.kill());
      const { key = '', value = '' } = entries[index] ?? {};
      await kv.put(key, value);
    }
    const { whos } = await stage.connectTo(service, {}, registry);
    await reachesAll(whos, 'a', 'b');
    await kv.delete(entries[0]?.key ?? '');
    await reachesAll(whos, 'b');
    const { answers, errors } = await tally(whos, 20);
    expect({ answers, errors }).toEqual({ answers: { b: 20 }, errors: {} });
  });
});
