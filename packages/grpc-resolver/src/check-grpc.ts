import { type IssueList, readInput } from '@coord/client/internal';
import { isSupportedGrpc } from './grpc-adapter.js';

export function checkGrpc(issues: IssueList, grpc: unknown): void {
  if (readInput('grpc', () => isSupportedGrpc(grpc))) return;
  const message = 'is no @grpc/grpc-js ~1.14.5: its experimental resolver interface is not the one needed';
  issues.push({ path: 'grpc', message });
}
