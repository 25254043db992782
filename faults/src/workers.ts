import type { Assignment } from './run/messages.js';
import { WorkerContext } from './run/worker-context.js';

/** Does the work of an assignment, by the name of its workload; a process loads only what it needs. */
export async function workerOf(assignment: Assignment): Promise<void> {
  switch (assignment.workload) {
    case 'lock':
    case 'fenced': {
      const { lockWorker } = await import('./lock/lock-worker.js');
      return lockWorker(new WorkerContext(assignment), assignment.workload);
    }
    case 'kinds': {
      const { kindsWorker } = await import('./kinds/kinds-worker.js');
      return kindsWorker(new WorkerContext(assignment));
    }
    case 'register': {
      const { registerWorker } = await import('./register/register-worker.js');
      return registerWorker(new WorkerContext(assignment));
    }
    case 'watch': {
      const { watchWorker } = await import('./watch/watch-worker.js');
      return watchWorker(new WorkerContext(assignment));
    }
    case 'config': {
      const { configWorker } = await import('./config/config-worker.js');
      return configWorker(new WorkerContext(assignment));
    }
    case 'registry': {
      const { registryWorker } = await import('./registry/registry-worker.js');
      return registryWorker(new WorkerContext(assignment));
    }
    case 'resolver': {
      const { resolverWorker } = await import('./resolver/resolver-worker.js');
      return resolverWorker(new WorkerContext(assignment));
    }
    case 'session': {
      const { sessionWorker } = await import('./session/session-worker.js');
      return sessionWorker(new WorkerContext(assignment));
    }
    default:
      throw new Error(`there is no workload ${assignment.workload}`);
  }
}
