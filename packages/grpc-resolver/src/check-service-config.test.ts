import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { checkServiceConfig } from './check-service-config.js';
import { registerPolicies } from './register-policies.js';

registerPolicies(grpc);

function problems(config: unknown): string[] {
  const issues: { path: string; message: string }[] = [];
  checkServiceConfig(issues, grpc, 'c', config);
  return issues.map(({ path, message }) => `${path}: ${message}`);
}

const retryPolicy = {
  maxAttempts: 4,
  initialBackoff: '0.1s',
  maxBackoff: '1s',
  backoffMultiplier: 2,
  retryableStatusCodes: ['UNAVAILABLE', 'aborted', 4],
};
const method = (part: object) => ({ methodConfig: [{ name: [{ service: 's' }], ...part }] });
const retry = (part: object) => method({ retryPolicy: { ...retryPolicy, ...part } });
const hedging = (part: object) => method({ hedgingPolicy: { maxAttempts: 2, ...part } });

describe('checkServiceConfig', () => {
  it.each([
    [{}],
    [{ loadBalancingConfig: [{ from_the_future: 1 }, { coord_weighted: { zone: 'a' } }] }],
    [{ loadBalancingConfig: [{ outlier_detection: { child_policy: [{ round_robin: {} }] } }] }],
    [{ methodConfig: [], retryThrottling: { maxTokens: 1_000, tokenRatio: 0.001 } }],
    [method({ timeout: '0.000000001s' })],
    [method({ timeout: '2147483s', retryPolicy })],
    [{ methodConfig: [{ name: [{ service: 's', method: 'm' }, { service: 's' }, {}], retryPolicy }] }],
    [hedging({ hedgingDelay: '0s', nonFatalStatusCodes: [] })],
  ])('accepts %j', (config) => expect(problems(config)).toEqual([]));

  it.each<[unknown, RegExp]>([
    [null, /^c: must be an object/],
    [[], /^c: must be an object/],
    [{ toString: 1 }, /^c\.toString: is no field/],
    [JSON.parse('{"__proto__":{"methodConfig":[]}}'), /^c\.__proto__: is no field/],
    [{ loadBalancingPolicy: 'round_robin' }, /loadBalancingPolicy: is ignored by grpc-js; give/],
    [{ healthCheckConfig: { serviceName: '' } }, /healthCheckConfig: is ignored by grpc-js; give/],
    [{ loadBalancingConfig: {} }, /loadBalancingConfig: must be an array/],
    [{ loadBalancingConfig: [] }, /no policy that grpc-js knows \(none at all\)/],
    [{ loadBalancingConfig: [{ wat: {} }] }, /no policy that grpc-js knows \(wat\)/],
    [{ loadBalancingConfig: ['round_robin'] }, /\[0\]: must be an object with the name of one policy/],
    [{ loadBalancingConfig: [{ round_robin: {}, p2c: {} }] }, /\[0\]: must be an object with the name/],
    [{ loadBalancingConfig: [{ round_robin: 7 }] }, /round_robin: must be an object/],
    [{ loadBalancingConfig: [{ coord_weighted: { zon: 'a' } }, { round_robin: {} }] }, /is refused.*zon/],
    [{ loadBalancingConfig: [{ coord_ring_hash: {} }] }, /is refused.*hashKey/],
    [{ methodConfig: {} }, /methodConfig: must be an array/],
    [{ methodConfig: [7] }, /methodConfig\[0\]: must be an object/],
    [{ methodConfig: [{}] }, /name: must be an array/],
    [{ methodConfig: [{ name: [] }] }, /name: must be an array/],
    [{ methodConfig: [{ name: ['s'] }] }, /name\[0\]: must be an object/],
    [{ methodConfig: [{ name: [{ servce: 's' }] }] }, /servce: is no field/],
    [{ methodConfig: [{ name: [{ service: '/s' }] }] }, /service: must be a name without/],
    [{ methodConfig: [{ name: [{ method: 'm' }] }] }, /a method without its service/],
    [{ methodConfig: [{ name: [{}] }, { name: [{}] }] }, /methodConfig\[1\]\.name\[0\]: is named twice/],
    [method({ waitForReady: true }), /waitForReady: is ignored by grpc-js/],
    [method({ maxRequestMessageBytes: 1 }), /is ignored by grpc-js; there is/],
    [method({ timeout: 1 }), /timeout: must be above 0/],
    [method({ timeout: '1' }), /timeout: must be above 0/],
    [method({ timeout: '-1s' }), /timeout: must be above 0/],
    [method({ timeout: '0s' }), /timeout: must be above 0/],
    [method({ timeout: '0.0000000001s' }), /timeout: must be above 0/],
    [method({ timeout: '2147484s' }), /timeout: must be above 0 up to 2147483 seconds/],
    [method({ retryPolicy, hedgingPolicy: { maxAttempts: 2 } }), /either a retryPolicy or a hedgingPolicy/],
    [method({ retryPolicy: true }), /retryPolicy: must be an object/],
    [retry({ maxAttempts: 1 }), /maxAttempts: must be an integer of at least 2/],
    [retry({ maxAttempts: 2.5 }), /maxAttempts/],
    [retry({ initialBackoff: undefined }), /initialBackoff: is missing/],
    [retry({ maxBackoff: '0s' }), /maxBackoff: must be above 0/],
    [retry({ backoffMultiplier: 0 }), /backoffMultiplier: must be a number/],
    [retry({ backoffMultiplier: Number.NaN }), /backoffMultiplier: must be a number/],
    [retry({ retryableStatusCodes: [] }), /retryableStatusCodes: must be an array/],
    [retry({ retryableStatusCodes: ['OK'] }), /retryableStatusCodes\[0\]: is no failure's code/],
    [retry({ retryableStatusCodes: [0, 17, 'TOSTRING'] }), /\[0\].*\[1\].*\[2\]/],
    [retry({ perAttemptRecvTimeout: '1s' }), /perAttemptRecvTimeout: is no field/],
    [hedging({ maxAttempts: '2' }), /maxAttempts/],
    [hedging({ hedgingDelay: 20 }), /hedgingDelay: must be from 0/],
    [hedging({ nonFatalStatusCodes: 'UNAVAILABLE' }), /nonFatalStatusCodes: must be an array/],
    [{ retryThrottling: 1 }, /retryThrottling: must be an object/],
    [{ retryThrottling: { maxTokens: 1_001, tokenRatio: 1 } }, /maxTokens: must be a number from 0.001 to/],
    [{ retryThrottling: { maxTokens: 10, tokenRatio: 0.0001 } }, /tokenRatio: must be a number from 0.001/],
  ])('refuses %j', (config, message) => expect(problems(config).join('; ')).toMatch(message));
});
