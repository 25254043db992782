import { describe, expect, it } from 'vitest';
import { OwnInstance } from './own-instance.js';
import type { HealthStatus } from './service-info.js';
import { resolveRegistration } from './service-registration.js';
import type { StoredInstance } from './service-value.js';

const info = resolveRegistration({ name: 'user', id: 'a', address: '10.0.0.1:80' }, [], new Date(0));

/** As found in etcd; generation 0 = by an operator. */
function found(health: HealthStatus, generation = 0): StoredInstance {
  return { info: { ...info, health }, leaving: false, author: { nonce: 'n', generation } };
}

describe('OwnInstance', () => {
  it('knows whether etcd has its health', () => {
    const own = new OwnInstance(info);
    expect(own.isStored).toBe(false);
    own.stored(own.toWrite());
    expect(own.isStored).toBe(true);
    own.setHealth('unhealthy');
    expect(own.isStored).toBe(false);
  });

  it('is as young as its last write', () => {
    const own = new OwnInstance(info);
    own.setHealth('unhealthy');
    expect(own.info.lastHeartbeat).toEqual(new Date(0));
    const before = Date.now();
    expect(own.toWrite().lastHeartbeat.getTime()).toBeGreaterThanOrEqual(before);
    expect(own.info.registerTime).toEqual(new Date(0));
  });

  it('takes over what an operator has set, and nothing that it has written itself', () => {
    const own = new OwnInstance(info);
    expect(own.adopt(found('unhealthy', 3))).toBe(false);
    expect(own.adopt(undefined)).toBe(false);
    expect(own.info.health).toBe('healthy');
    expect(own.adopt(found('maintenance'))).toBe(true);
    expect(own.info.health).toBe('maintenance');
    expect(own.isStored).toBe(true);
  });

  it('keeps to what the application has asked for while that is on its way', () => {
    const own = new OwnInstance(info);
    const [endFirst, endSecond] = [own.beginUpdate('maintenance'), own.beginUpdate('unhealthy')];
    endFirst();
    expect(own.adopt(found('unknown'))).toBe(false);
    expect(own.info.health).toBe('unhealthy');
    endSecond();
    expect(own.adopt(found('unknown'))).toBe(true);
  });
});
