/** The roles of docs/operations/roles.md, by its commands. */
import { commandsOf } from './document.js';

export const commands = commandsOf('docs/operations/roles.md', 'etcdctl');
export const roles = commands.flatMap(([what, action, role]) =>
  what === 'role' && action === 'add' && role !== undefined ? [role] : [],
);
export interface Grant {
  readonly rights: string;
  readonly key: string;
  readonly prefix: boolean;
}

export const grantsOf = (role: string): Grant[] =>
  commands
    .filter(([, action, of]) => action === 'grant-permission' && of === role)
    .map(([, , , rights = '', ...rest]) => ({
      rights,
      key: rest.at(-1) ?? '',
      prefix: rest[0] === '--prefix=true',
    }));
