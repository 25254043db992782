import http2, { type ClientHttp2Session } from 'node:http2';

const WATCH = '/etcdserverpb.Watch/Watch';

/** Calls back whenever etcd has answered on a stream of watches of this process: seen at the HTTP/2 below the library. */
export function onWatchStream(answered: () => void): void {
  const { connect } = http2;
  Object.assign(http2, {
    connect: (...args: Parameters<typeof connect>) => {
      const session = connect(...args);
      const { request } = session;
      session.request = (...call: Parameters<ClientHttp2Session['request']>) => {
        const stream = request.apply(session, call);
        const [headers] = call;
        if (headers && !Array.isArray(headers) && headers[':path'] === WATCH)
          stream.once('response', answered);
        return stream;
      };
      return session;
    },
  });
}
