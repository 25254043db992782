import { startEtcd } from '@coord/testkit';

/** Where the example finds its etcd. Disposing of it ends an etcd that was started here. */
export interface ExampleEtcd extends AsyncDisposable {
  readonly endpoints: readonly string[];
}

/** The etcd that COORD_ENDPOINTS names (`host:port`, comma separated); without it, one that is started here. */
export async function findEtcd(): Promise<ExampleEtcd> {
  const named = process.env.COORD_ENDPOINTS;
  if (named) {
    return {
      endpoints: named.split(',').map((endpoint) => endpoint.trim()),
      async [Symbol.asyncDispose]() {},
    };
  }
  const server = await startEtcd();
  console.log(`(started etcd ${server.version} at ${server.endpoint} for this example)\n`);
  return { endpoints: server.endpoints, [Symbol.asyncDispose]: () => server.stop() };
}
