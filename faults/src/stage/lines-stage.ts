import { startProxied } from './proxied-stage.js';
import type { StageKind } from './stage.js';

export const LINES: StageKind = {
  name: 'lines',
  about: 'proxies before the members; members die, freeze and restart',
  missing: async () => undefined,
  start: ({ etcd }) => startProxied({ cluster: { version: etcd } }),
};
