import type { ServiceCodec } from './service-codec.js';

/**
 * Instances of go-zero: the value at `<key>/<lease id>` is the address. There is no prefix: the service is
 * zrpc's `Etcd.Key`, such as `user.rpc`. Of a key with slashes, all but the last part is the registry's `keyPrefix`.
 * @see https://github.com/zeromicro/go-zero/blob/master/core/discov/publisher.go
 * @example
 * const registry = createRegistry(client, { codec: goZeroCodec() });
 * const instances = await registry.discover('user.rpc');
 */
export function goZeroCodec(): ServiceCodec {
  return {
    name: 'go-zero',
    keyPrefix: '',
    // Without a prefix, anything in etcd with one slash in its key looks like an instance.
    isInstance: ({ instanceId }) => /^\d{1,19}$/.test(instanceId),
    decode: (address) => ({ address }),
  };
}
