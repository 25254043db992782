import type { IssueList } from '@coord/client/internal';
import { distance } from 'fastest-levenshtein';
import { variableNames } from './env-variables.js';

/** Reports what is almost a variable: it would leave the default in force without a word. */
export function checkVariableNames(issues: IssueList, env: object): void {
  const known = variableNames();
  for (const name of Object.keys(env)) {
    if (!/^coord_/i.test(name) || known.includes(name)) continue;
    const meant = known.find((each) => each === name.toUpperCase()) ?? similar(name.toUpperCase(), known);
    if (meant !== undefined) {
      issues.push({ path: name, message: `is no variable of Coord; did you mean ${meant}?` });
    }
  }
}

/** Others may have variables of this prefix, too: Kubernetes makes `COORD_PORT` for a service of that name. */
function similar(name: string, known: readonly string[]): string | undefined {
  const candidates = known
    .map((each) => ({ each, edits: distance(name, each) }))
    .sort((a, b) => a.edits - b.edits);
  const [best] = candidates;
  const letters = name.length - 'COORD_'.length;
  if (best !== undefined && best.edits <= Math.min(3, Math.ceil(letters / 5))) return best.each;
  // Cut off at a word, such as COORD_REQUEST_TIMEOUT, or within one, such as COORD_PASS.
  return letters >= 4 ? candidates.find(({ each }) => each.startsWith(name))?.each : undefined;
}
