import type { ServiceInfo } from '@coord/registry';
import type { ShownInstance } from './registry-operations.js';
import { shownInstance } from './shown.js';

export function shownInfo({ id, metadata, health, lastHeartbeat }: ServiceInfo): ShownInstance {
  const { registration = '' } = metadata;
  return shownInstance({ id, health, registration, heartbeat: lastHeartbeat.toISOString() });
}
