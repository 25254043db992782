import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EtcdEvent } from '../etcd-event.js';
import { readJsonLines } from '../json-lines.js';
import type { Operation } from '../operation.js';
import { type HistoryLine, operationsOf } from '../recorder.js';
import type { FaultEntry } from './fault-log.js';
import type { HookedFault } from './hooked-faults.js';

/** What a run has left behind. */
export interface Evidence<Op extends Operation> {
  readonly run: string;
  /** In the order of invocation. */
  readonly history: readonly Op[];
  readonly log: readonly EtcdEvent[];
  readonly faults: readonly FaultEntry[];
}

/** What a run was asked to do; enough to do the same again. */
export interface RunSettings {
  readonly workload: string;
  /** What is planted in the workers; empty: nothing. */
  readonly variant: string;
  readonly seed: number;
  /** Where it takes place. @default 'lines' */
  readonly stage?: string;
  /** Of the members, where the stage leaves it open. @default COORD_ETCD_VERSION */
  readonly etcd?: string | undefined;
  /** The versions that the members had, once it has begun. */
  readonly versions?: string;
  readonly minMs: number;
  readonly minHooked: number;
  /** So many workers, these faults at each moment of this kind, and no others. */
  readonly only?: Narrow;
}

export interface Narrow {
  readonly workers: number;
  readonly point: string;
  readonly faults: readonly HookedFault[];
}

const HISTORY = /^history-(.+)\.jsonl$/;

/** Where a run keeps its settings, histories, faults and etcd's log. */
export class RunFolder {
  readonly path: string;
  #evidence: Evidence<Operation> | undefined;

  constructor(path: string) {
    this.path = path;
  }

  get logFile(): string {
    return join(this.path, 'etcd.jsonl');
  }

  get faultFile(): string {
    return join(this.path, 'faults.jsonl');
  }

  create(settings: RunSettings & { readonly run: string }): void {
    mkdirSync(this.path, { recursive: true });
    this.write('run.json', settings);
  }

  settings(): RunSettings & { readonly run: string } {
    return JSON.parse(readFileSync(join(this.path, 'run.json'), 'utf8'));
  }

  write(name: string, content: unknown): void {
    writeFileSync(join(this.path, name), `${JSON.stringify(content, undefined, 2)}\n`);
  }

  /** All that a check needs, of a run that is over and whose workers did such operations. */
  evidence<Op extends Operation>(): Evidence<Op> {
    this.#evidence ??= this.#read();
    return this.#evidence as Evidence<Op>;
  }

  #read(): Evidence<Operation> {
    const history = readdirSync(this.path).flatMap((file): Operation[] => {
      const process = HISTORY.exec(file)?.[1];
      if (process === undefined) return [];
      return operationsOf(process, readJsonLines<HistoryLine>(join(this.path, file)));
    });
    history.sort((a, b) => a.invokedAt - b.invokedAt);
    return {
      run: this.settings().run,
      history,
      log: readJsonLines<EtcdEvent>(this.logFile),
      faults: readJsonLines<FaultEntry>(this.faultFile),
    };
  }
}
