import type { Cluster } from '@coord/testkit';
import type { Fault, FaultKind } from '../run/cluster-faults.js';

/** What a stage is to be like. */
export interface StageOptions {
  /** Of the members; absent: as COORD_ETCD_VERSION says. */
  readonly etcd: string | undefined;
}

/** A kind of place where a run takes place, with the faults that it makes possible. */
export interface StageKind {
  readonly name: string;
  readonly about: string;
  /** Why it cannot be had on this machine; undefined if it can. */
  missing(): Promise<string | undefined>;
  start(options: StageOptions): Promise<Stage>;
}

/** A cluster whose lines, members or machine can fail. */
export interface Stage extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly lines: ClientLines;
  /** How worker processes are started. */
  readonly workers: WorkerLaunch;
  /** What can happen here, beside what can happen anywhere. */
  readonly faults: Readonly<Record<string, Fault>>;
  /** How often each has to have happened before a run is whole. */
  readonly musts: Readonly<Record<string, number>>;
  /** Which of the faults that can happen anywhere can happen here, too. */
  allows(kind: FaultKind): boolean;
  /** Ends connections of which one end is gone, and the other would learn of it in hours: the news was lost. Nobody has any when it is called. */
  settle?(): Promise<void>;
}

export interface WorkerLaunch {
  /** It becomes what follows, which is Node. */
  readonly launcher: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** All lines between workers and members. */
export interface ClientLines {
  /** Ends every connection; new ones work. */
  reset(): Promise<void>;
  /** From now on no answer arrives. Returns what ends it. */
  holdAnswers(): Promise<() => Promise<void>>;
  /** How many connections workers have opened so far. */
  opened(): number;
}

/** etcd's default is 10 minutes. */
const PROGRESS = '--experimental-watch-progress-notify-interval=500ms';

/** Three members; leaders change in a second or so, idle watches hear of their progress often. */
export const COMMON = { size: 3, heartbeatMs: 50, electionMs: 500, args: [PROGRESS] };

export const HERE: WorkerLaunch = { launcher: [], environment: {} };
