import { CONFIG } from './config/config-workload.js';
import { KINDS } from './kinds/kinds-workload.js';
import { FENCED } from './lock/fenced-workload.js';
import { LOCK } from './lock/lock-workload.js';
import { REGISTER } from './register/register-workload.js';
import { REGISTRY } from './registry/registry-workload.js';
import { RESOLVER } from './resolver/resolver-workload.js';
import type { Workload } from './run/workload.js';
import { SESSION } from './session/session-workload.js';
import { WATCH } from './watch/watch-workload.js';

export const WORKLOADS: readonly Workload[] = [
  ...[LOCK, FENCED, KINDS],
  ...[REGISTER, WATCH, CONFIG],
  ...[REGISTRY, RESOLVER, SESSION],
];

export function workloadNamed(name: string): Workload {
  const known = WORKLOADS.find((workload) => workload.name === name);
  if (known !== undefined) return known;
  throw new Error(`there is no workload "${name}", only ${WORKLOADS.map((each) => each.name).join(', ')}`);
}
