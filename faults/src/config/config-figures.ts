import type { Figures } from '../run/workload.js';
import type { ConfigOperation } from './config-operations.js';

/** What was done, of what was acknowledged. */
export function figuresOf(history: readonly ConfigOperation[]): Figures {
  const done = history.filter(({ outcome }) => outcome === 'ok');
  const count = (is: (operation: ConfigOperation) => boolean) => done.filter(is).length;
  const named = (...names: readonly ConfigOperation['name'][]) => count(({ name }) => names.includes(name));
  return {
    'values written':
      named('write') + count(({ name, input }) => name === 'change' && input.kind !== 'promote'),
    'values written by others': named('rubbish', 'junk'),
    'releases published': count(({ name, input }) => name === 'release' && input.kind === 'publish'),
    'releases taken back': count(({ name, input }) => name === 'release' && input.kind === 'revert'),
    'schemas changed': named('schema'),
    'canaries started, resized and dropped': named('canary'),
    'canaries promoted': count(({ name, input }) => name === 'change' && input.kind === 'promote'),
    overrides: count(({ name, input }) => name === 'override' && input.kind === 'start'),
    'managers started': named('start'),
    'managers started from a snapshot': count(
      ({ name, output }) => name === 'start' && output?.source === 'snapshot',
    ),
    'values shown by managers': named('expose'),
    'values refused by managers': named('refuse'),
    'releases seen by watches': named('row'),
  };
}
