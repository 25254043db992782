/** Bad input is what the types forbid. */
export const bad = <T>(value: unknown): T => value as T;

/** Has a getter that throws. */
export const throwing = (name: string): object =>
  Object.defineProperty({}, name, {
    enumerable: true,
    get() {
      throw new Error('read me not');
    },
  });

/** Throws whatever is done with it. */
export const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

/** Can be seen to be an object, and throws when it is looked into. */
export const hostile = (): object =>
  new Proxy(
    {},
    {
      get: () => {
        throw new Error('no get');
      },
      has: () => {
        throw new Error('no has');
      },
      getPrototypeOf: () => {
        throw new Error('no prototype');
      },
      ownKeys: () => {
        throw new Error('no keys');
      },
    },
  );

/** Answers every question with itself: has whatever name is asked for, and may be called. */
export const imitation = (): unknown => {
  const self: unknown = new Proxy(() => undefined, {
    get: (_, name) => (name === 'then' || typeof name === 'symbol' ? undefined : self),
    apply: () => self,
  });
  return self;
};

/** Bytes that have been given to another thread. */
export const detached = (): Uint8Array => {
  const bytes = new Uint8Array(8);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
};

/** What the functions of the list throw: theirs, and so as good as a result, where the library calls functions of the caller. */
export class CalledError extends Error {
  override readonly name = 'CalledError';
}
