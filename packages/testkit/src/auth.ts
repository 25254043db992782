import { TestkitError } from './errors.js';
import type { EtcdCredentials } from './etcd-server.js';
import { type CallTls, call } from './http.js';

const CALL_TIMEOUT_MS = 10_000;

/**
 * Creates the users and turns authentication on, through etcd's JSON gateway (so that no etcdctl is needed).
 *
 * @internal
 */
export async function enableAuth(
  endpoint: string,
  credentials: EtcdCredentials,
  options: { readonly tls: CallTls | undefined; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const { username, password } = credentials;
  const post = async (path: string, body: unknown) => {
    const { status, text } = await call(`${endpoint}/v3/auth/${path}`, {
      method: 'POST',
      body,
      timeoutMs: CALL_TIMEOUT_MS,
      ...options,
    });
    if (status === 200) return;
    throw new TestkitError(
      'COORD_TESTKIT_START_FAILED',
      `etcd at ${endpoint} refused auth/${path} with ${status}: ${text}`,
      'check the user name and the password',
    );
  };
  await post('role/add', { name: 'root' });
  for (const name of new Set(['root', username])) {
    await post('user/add', { name, password });
    await post('user/grant', { user: name, role: 'root' });
  }
  await post('enable', {});
}
