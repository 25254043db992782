import { eventually } from '@coord/testkit';
import type { Outcome } from '../operation.js';
import type { Stage } from '../stage/stage.js';
import type { Violation } from '../violation.js';
import { Acknowledged } from './acknowledged.js';
import { EtcdLog } from './etcd-log.js';
import { FaultLog } from './fault-log.js';
import { HookedFaults } from './hooked-faults.js';
import { countLeft, leaksIn, leftBehind } from './leaks.js';
import type { Report } from './messages.js';
import { PlannedFaults } from './planned-faults.js';
import type { RunFolder, RunSettings } from './run-folder.js';
import { WorkerFleet } from './worker-fleet.js';
import type { WorkerProcess } from './worker-process.js';
import type { Figures, Workload } from './workload.js';

/** How long past its time a run waits for what it has to have seen. */
const OVERTIME_MS = 240_000;
/** Leases of those who were killed run out by then, over a change of leader, too. */
const PASSING_MS = 30_000;

export interface RunResult extends RunSettings {
  readonly folder: string;
  /** The versions that the members had. */
  readonly versions: string;
  readonly seconds: number;
  readonly processes: number;
  /** What was done, and what came of it. */
  readonly operations: Readonly<Record<Outcome, number>>;
  /** That workers have opened; all but the first of each were lost before. */
  readonly connections: number;
  /** Of etcd's own log. */
  readonly events: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Those that only its stage has. */
  readonly ownFaults: readonly string[];
  /** What the workload counts besides. */
  readonly figures: Figures;
  readonly violations: readonly Violation[];
}

let runs = 0;

export interface RunScene {
  readonly stage: Stage;
  readonly folder: RunFolder;
  readonly settings: RunSettings;
  /** Nobody else uses the cluster: whatever is left in it then is of this run. */
  readonly alone?: boolean;
}

/** Runs a workload under the faults of a seed, then judges it by what is in its folder. */
export async function runWorkload(
  workload: Workload,
  { stage, folder, settings, alone = false }: RunScene,
): Promise<RunResult> {
  runs += 1;
  const run = `${workload.name}-${process.pid}-${runs}`;
  const { seed, variant, minMs, minHooked } = settings;
  const versionsBefore = versionsOf(stage);
  folder.create({ ...settings, run, versions: versionsBefore.join(' to ') });
  const startedAt = performance.now();
  const { cluster, lines } = stage;
  const openedBefore = lines.opened();
  const acknowledged = new Acknowledged();
  const onReport = (report: Report, worker: WorkerProcess) => {
    if (report.type === 'at') hooked.reached(report, worker);
    else if (report.type === 'returned' && report.outcome === 'ok') acknowledged.add(report);
  };
  await using log = await EtcdLog.start(cluster, folder.logFile, (key) => workload.keeps(key, run));
  const faultLog = new FaultLog(folder.faultFile);
  const common = { workload: workload.name, variant, run, seed };
  const fleet = new WorkerFleet(common, { stage, folder: folder.path, onReport });
  const { only } = settings;
  const hooks =
    only === undefined ? workload.hooks : { ...workload.hooks, ...only, rate: 1, limit: minHooked };
  const hooked = new HookedFaults({
    ...{ seed, hooks, cluster, lines, log, faultLog, fleet, acknowledged },
  });
  const ends: Violation[] = [];
  try {
    fleet.start(only?.workers ?? workload.workers);
    await eventually(() => acknowledged.count(hooks.progress.name) > 0, { timeoutMs: OVERTIME_MS });
    const scene = { seed, kinds: workload.faults, stage, log, faultLog };
    const planned = only === undefined ? new PlannedFaults(scene) : undefined;
    const missing = () => [
      ...(hooked.done < minHooked ? [`${minHooked - hooked.done} of ${minHooked} hooked faults`] : []),
      ...(planned?.missing ?? []),
    ];
    const enough = () => performance.now() - startedAt >= minMs && missing().length === 0;
    await eventually(enough, { timeoutMs: minMs + OVERTIME_MS }).catch(() => {
      const what = `${missing().join(', ')}: not in ${minMs + OVERTIME_MS} ms, it does not go on`;
      ends.push({ invariant: 'end', what });
    });
    await planned?.end();
    await hooked.end();
    ends.push(...(await fleet.finish()));
  } finally {
    await fleet.kill();
  }
  const passing = () => [...log.present].filter((key) => workload.passes(key, run));
  await eventually(() => passing().length === 0, { timeoutMs: PASSING_MS }).catch(() => undefined);
  await log.stop();
  await stage.settle?.();
  const left = alone
    ? await leftBehind(cluster.members.map(({ directEndpoint }) => directEndpoint))
    : undefined;
  if (left !== undefined) ends.push(...leaksIn(left));
  const violations = [...ends, ...workload.check(folder)];
  const evidence = folder.evidence();
  const operations = { ok: 0, failed: 0, unknown: 0 };
  for (const { outcome } of evidence.history) operations[outcome] += 1;
  const result: RunResult = {
    ...settings,
    ...{ folder: folder.path, operations, violations, faults: faultLog.counts },
    ownFaults: Object.keys(stage.faults),
    versions: [...new Set([...versionsBefore, ...versionsOf(stage)])].join(' to '),
    seconds: Math.round((performance.now() - startedAt) / 1_000),
    processes: fleet.processes.length,
    connections: lines.opened() - openedBefore,
    events: evidence.log.length,
    figures: { ...workload.figures?.(folder), ...(left === undefined ? {} : countLeft(left)) },
  };
  folder.write('result.json', result);
  return result;
}

function versionsOf({ cluster }: Stage): string[] {
  return cluster.members.map(({ version }) => version);
}
