import type { Observer, Subject } from '@coord/client/internal';
import type { ServiceKeys } from './keys.js';
import type { Registration } from './registration.js';

/** What is traced, measured and logged of a registry. */
export const REGISTER = { name: 'coord.registry.register' } as const;
export const DEREGISTER = { name: 'coord.registry.deregister' } as const;
export const UNREGISTER = { name: 'coord.registry.unregister' } as const;
export const UPDATE_HEALTH = { name: 'coord.registry.updateHealth' } as const;
export const DRAIN = { name: 'coord.registry.drain' } as const;
export const DISCOVER = { name: 'coord.registry.discover' } as const;
export const LIST_SERVICES = { name: 'coord.registry.listServices' } as const;
export const GET_SERVICE_CONFIG = { name: 'coord.registry.getServiceConfig' } as const;
export const SET_SERVICE_CONFIG = { name: 'coord.registry.setServiceConfig' } as const;
export const DELETE_SERVICE_CONFIG = { name: 'coord.registry.deleteServiceConfig' } as const;

/** An instance, or a service: whatever a caller gives, that it is good finds out the operation. */
export function about(keys: ServiceKeys, serviceName: unknown, instanceId?: unknown): Subject {
  if (typeof serviceName !== 'string') return typeof instanceId === 'string' ? { instance: instanceId } : {};
  return typeof instanceId === 'string'
    ? { key: keys.instance(serviceName, instanceId) }
    : { key: keys.service(serviceName) };
}

/** The service of one that is to be registered. */
export function aboutNew(keys: ServiceKeys, service: unknown): Subject {
  try {
    return about(keys, Reflect.get(Object(service), 'name'));
  } catch {
    return {}; // such as a getter that throws
  }
}

/** The handle of a registration with its operations observed; the handle itself where nobody wants to know. */
export function observedRegistration(
  registration: Registration,
  observer: Observer,
  keys: ServiceKeys,
): Registration {
  if (!observer.active) return registration;
  const subject = about(keys, registration.service.name, registration.service.id);
  return {
    get service() {
      return registration.service;
    },
    get state() {
      return registration.state;
    },
    subscribe: (callback) => registration.subscribe(callback),
    updateHealth: (status, options) =>
      observer.observe(UPDATE_HEALTH, subject, () => registration.updateHealth(status, options)),
    drain: (options) => observer.observe(DRAIN, subject, () => registration.drain(options)),
    deregister: (options) => observer.observe(DEREGISTER, subject, () => registration.deregister(options)),
    [Symbol.asyncDispose]: () =>
      observer.observe(DEREGISTER, subject, async () => {
        await registration[Symbol.asyncDispose]();
      }),
  };
}
