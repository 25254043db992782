import { CoordError } from '@coord/client';
import { PushIterator } from '@coord/client/internal';

/** A consumer that lags by so many events does not read them at all. */
const MAX_BUFFERED = 1024;

/** Hands each event to every consumer. */
export class EventStreams<E> {
  readonly #streams = new Set<PushIterator<E>>();

  open(): PushIterator<E> {
    const stream: PushIterator<E> = new PushIterator<E>({ onClose: () => this.#streams.delete(stream) });
    this.#streams.add(stream);
    return stream;
  }

  emit(event: E): void {
    for (const stream of [...this.#streams]) {
      if (stream.size < MAX_BUFFERED) {
        stream.push(event);
      } else {
        const message = `events() has ${MAX_BUFFERED} unread events; read faster, or end the loop`;
        stream.fail(new CoordError('COORD_SLOW_CONSUMER', message));
      }
    }
  }

  end(): void {
    for (const stream of [...this.#streams]) stream.end();
  }
}
