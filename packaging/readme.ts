import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './tarballs.js';

/** What a newcomer is told to type, and the program he is shown. */
export interface FirstSteps {
  readonly commands: readonly string[];
  readonly program: string;
}

/** The beginning of README.md: nothing else is said to newcomers before they have the first program. */
export async function firstSteps(): Promise<FirstSteps> {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const section = /^## Ten lines\n(.*?)^## /ms.exec(readme)?.[1] ?? '';
  const blockOf = (language: string) =>
    new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'ms').exec(section)?.[1] ?? '';
  const commands = blockOf('sh')
    .split('\n')
    .map((line) => line.replace(/\s+#.*/, ''))
    .filter((line) => line !== '');
  return { commands, program: blockOf('ts') };
}
