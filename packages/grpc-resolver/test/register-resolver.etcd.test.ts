/** `etcd:///service` as a target of any client: schemes, names, several registries. */
import { ClosedError, ValidationError } from '@coord/client';
import { createRegistry } from '@coord/registry';
import requiredGrpc, * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { registerResolver } from '../src/index.js';
import { reachesAll, useStage } from './service-stage.js';
import { WhoClient, who } from './who-service.js';

const stage = useStage();

describe('several registries in one process', () => {
  it('do not see each other, by connection, by name, and by channel option', async () => {
    const service = stage.unique();
    const elsewhere = createRegistry(stage.client, { keyPrefix: '/elsewhere' });
    await stage.serve(service, 'here');
    await stage.serve(service, 'there', elsewhere);
    const { whos: here } = await stage.connectTo(service);
    const { whos: there } = await stage.connectTo(service, {}, elsewhere);
    expect(await who(here)).toBe('here');
    expect(await who(there)).toBe('there');

    const handles = [
      registerResolver({ registry: stage.registry, scheme: 'two' }),
      registerResolver({ registry: elsewhere, scheme: 'two', name: 'other' }),
    ] as const;
    for (const handle of handles) stage.cleanLater(() => handle.close());
    const insecure = grpc.credentials.createInsecure();
    const clients = [
      new WhoClient(`two:///${service}`, insecure),
      new WhoClient(`two://other/${service}`, insecure),
      new WhoClient(`two:///${service}`, insecure, handles[1].channelOptions()),
    ];
    for (const each of clients) stage.cleanLater(() => each.close());
    expect(await Promise.all(clients.map((each) => who(each)))).toEqual(['here', 'there', 'there']);
    expect(handles.map((handle) => handle.target(service))).toEqual([
      `two:///${service}`,
      `two://other/${service}`,
    ]);
  });
});

describe('a scheme that is registered again', () => {
  it('resolves new channels by the new registry, and leaves the open ones to theirs', async () => {
    const service = stage.unique();
    const elsewhere = createRegistry(stage.client, { keyPrefix: '/elsewhere' });
    await stage.serve(service, 'here');
    await stage.serve(service, 'there', elsewhere);
    const open = () => {
      const whos = new WhoClient(`again:///${service}`, grpc.credentials.createInsecure());
      stage.cleanLater(() => whos.close());
      return whos;
    };
    const first = registerResolver({ registry: stage.registry, scheme: 'again' });
    const old = open();
    expect(await who(old)).toBe('here');
    await first.close();
    const second = registerResolver({ registry: elsewhere, scheme: 'again' });
    stage.cleanLater(() => second.close());
    expect(await who(open())).toBe('there');
    await stage.registry.deregister(service, 'here');
    await stage.serve(service, 'here2');
    await reachesAll(old, 'here2');
  });
});

describe('registerResolver', () => {
  it('refuses clients whose service config names no policy that is known', async () => {
    const handle = registerResolver({ registry: stage.registry, scheme: 'strict' });
    stage.cleanLater(() => handle.close());
    const insecure = grpc.credentials.createInsecure();
    const make = (config: object) => () =>
      new WhoClient(handle.target('x'), insecure, { 'grpc.service_config': JSON.stringify(config) }).close();
    expect(make({ loadBalancingConfig: [{ wat: {} }] })).toThrow(ValidationError);
    expect(make({ loadBalancingPolicy: 'round_robin' })).toThrow(/loadBalancingConfig/);
    expect(make({ loadBalancingConfig: [{ wat: {} }, { coord_weighted: {} }] })).not.toThrow();
  });

  it('makes etcd:///service a target for any client', async () => {
    const service = stage.unique();
    await stage.serve(service, 'a');
    await stage.serve(service, 'b');
    const handle = registerResolver({ client: stage.client });
    stage.cleanLater(() => handle.close());
    const whos = new WhoClient(`etcd:///${service}`, grpc.credentials.createInsecure(), {
      'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    });
    stage.cleanLater(() => whos.close());
    await reachesAll(whos, 'a', 'b');
  });

  it('refuses a second one for the same targets, until the first is closed', async () => {
    const first = registerResolver({ registry: stage.registry, scheme: 'once' });
    expect(() => registerResolver({ registry: stage.registry, scheme: 'once' })).toThrow(/another name/);
    const named = registerResolver({ registry: stage.registry, scheme: 'once', name: 'b' });
    await first.close();
    await first.close();
    expect(() => new WhoClient('once:///x', grpc.credentials.createInsecure())).toThrow(
      /nothing is registered/,
    );
    const second = registerResolver({ registry: stage.registry, scheme: 'once' });
    await Promise.all([second.close(), named.close()]);
  });

  it('knows one copy of grpc-js, whichever way it was imported', async () => {
    const handle = registerResolver({ registry: stage.registry, scheme: 'copy' });
    expect(() => registerResolver({ registry: stage.registry, scheme: 'copy', grpc: requiredGrpc })).toThrow(
      /another name/,
    );
    await handle.close();
  });

  it('refuses a registry that is closed', async () => {
    const closed = createRegistry(stage.client);
    await closed.close();
    expect(() => registerResolver({ registry: closed, scheme: 'closed' })).toThrow(ClosedError);
    const handle = registerResolver({ registry: stage.registry, scheme: 'closed' });
    await handle.close();
  });

  it('refuses options that are none', () => {
    for (const options of [undefined, null, 'etcd']) {
      expect(() => Reflect.apply(registerResolver, undefined, [options])).toThrow(ValidationError);
    }
  });

  it.each([
    {},
    { registry: {} },
    { client: {} },
    { scheme: 'dns' },
    { scheme: 'No' },
    { name: 'a/b' },
    { grpc: {} },
    { patienceMs: 0 },
    { subset: { size: 0 } },
    { subset: 3 },
  ])('refuses %j', (options) => {
    const given =
      'registry' in options || 'client' in options ? options : { registry: stage.registry, ...options };
    expect(() => registerResolver(Object(Object.keys(options).length === 0 ? {} : given))).toThrow(
      ValidationError,
    );
  });
});
