import type { EtcdEvent } from '../etcd-event.js';
import type { FaultEntry } from '../run/fault-log.js';
import type { Figures } from '../run/workload.js';
import type { Violation } from '../violation.js';
import type { Entry, LockOperation } from './lock-operations.js';

type Write = Extract<LockOperation, { name: 'write' }>;

/** A holder that stood still between its check and its write. */
interface Pause {
  readonly process: string;
  /** What it did then; undefined if it was killed before. */
  readonly write: Write | undefined;
  /** Whether another was granted the lock before it wrote: only then the pause proves anything. */
  readonly passedOn: boolean;
  /** Whether etcd has the write. */
  readonly isThere: boolean;
}

export interface PauseEvidence {
  readonly history: readonly LockOperation[];
  readonly log: readonly EtcdEvent[];
  readonly faults: readonly FaultEntry[];
}

export const PAUSED_AT = 'between check and write';

function isPause({ kind, where }: FaultEntry): boolean {
  return kind === 'freeze' && where.point === PAUSED_AT;
}

function pausesOf({ history, log, faults }: PauseEvidence): Pause[] {
  const written = new Set<string>();
  for (const { type, key, value } of log) {
    if (type !== 'put' || !key.endsWith('/data')) continue;
    const { id }: Entry = JSON.parse(value);
    written.add(id);
  }
  const holders = faults
    .filter(isPause)
    .flatMap(({ where, beganAt }) =>
      (where.part ?? '').split(' ').map((by) => ({ process: where.worker ?? '', by, beganAt })),
    );
  return holders.map(({ process, by, beganAt }): Pause => {
    const write = history.find(
      (operation): operation is Write =>
        operation.name === 'write' && operation.input.by === by && operation.invokedAt >= beganAt,
    );
    const passedOn = history.some(
      ({ name, input, output, returnedAt }) =>
        name === 'acquire' &&
        output !== undefined &&
        write !== undefined &&
        input.lock === write.input.lock &&
        output.token > write.input.token &&
        returnedAt < write.invokedAt,
    );
    const isThere = write !== undefined && written.has(write.input.id);
    return { process, write, passedOn, isThere };
  });
}

/** L1 where it matters most: of writes by those whose lock had passed on, none gets through. */
export function checkPauses(evidence: PauseEvidence): Violation[] {
  return pausesOf(evidence).flatMap(({ process, write, passedOn, isThere }) =>
    passedOn && write !== undefined && (isThere || write.outcome === 'ok')
      ? [
          {
            invariant: 'L1',
            what: `${process} stood still, another had the lock, and ${write.input.id} got through`,
          },
        ]
      : [],
  );
}

/** What the pauses have come to. */
export function pauseFigures(evidence: PauseEvidence): Figures {
  const pauses = pausesOf(evidence);
  const passedOn = pauses.filter((pause) => pause.passedOn);
  const count = (is: (write: Write) => boolean, of = passedOn) =>
    of.filter(({ write }) => write !== undefined && is(write)).length;
  const refused = ({ outcome }: Write) => outcome === 'failed';
  return {
    'processes frozen between check and write': evidence.faults.filter(isPause).length,
    'holders in them': pauses.length,
    'of them, another was granted the lock meanwhile': passedOn.length,
    'writes of these': count(() => true),
    'refused by the compare of the token alone': count((w) => refused(w) && w.input.guard === 'compare'),
    "refused through the lock's own clock or compare": count((w) => refused(w) && w.input.guard === 'clock'),
    'without an answer, and not in etcd': passedOn.filter(
      ({ write, isThere }) => write?.outcome === 'unknown' && !isThere,
    ).length,
    'got through': passedOn.filter(({ write, isThere }) => isThere || write?.outcome === 'ok').length,
  };
}
