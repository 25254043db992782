/** A process that does the work of one workload until it is told to stop, or worse. */
import { workerOf } from '../workers.js';
import type { Assignment } from './messages.js';
import { tell } from './worker-context.js';

const assignment: Assignment = JSON.parse(process.argv[2] ?? '');
await workerOf(assignment);
tell({ type: 'ended' });
process.removeAllListeners('disconnect');
process.disconnect();
