export const ENV = 'faults';
export const COMPONENT = 'bounds';

export function configKey(run: string): string {
  return `${ENV}/${run}/${COMPONENT}`;
}

/** Where the value stands in etcd. */
export function configRawKey(run: string): string {
  return `/config/${configKey(run)}`;
}
