import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** PEM texts for a call over TLS. */
export interface CallTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface CallOptions {
  readonly method?: 'GET' | 'POST' | undefined;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly tls?: CallTls | undefined;
  /** Of a login to etcd. */
  readonly token?: string | undefined;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface CallAnswer {
  readonly status: number;
  readonly text: string;
}

/** One HTTP call on a connection of its own. Rejects if there is no complete answer in time. @internal */
export function call(url: string, options: CallOptions): Promise<CallAnswer> {
  const { method = 'GET', body, tls, token, timeoutMs, signal } = options;
  const limit = AbortSignal.timeout(timeoutMs);
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    ...(payload !== undefined && { 'content-type': 'application/json' }),
    ...(token !== undefined && { authorization: token }),
  };
  return new Promise((resolve, reject) => {
    const onAnswer = (response: IncomingMessage) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    };
    const common = {
      method,
      headers,
      agent: false,
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    };
    const outgoing = tls
      ? httpsRequest(url, { ...common, ...tls }, onAnswer)
      : httpRequest(url, common, onAnswer);
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}
