import { HEALTHY, type Showing, WHOLE } from './shown.js';

/** The ways in which a seeker looks at the service. */
export type ViewKind = 'all' | 'healthy' | 'cached' | 'changes';

/** Holds the last instances when they vanish without a goodbye: what odd seekers do. */
export function holdsLast(index: number): boolean {
  return index % 4 === 3;
}

export function viewName(process: string, index: number, kind: ViewKind): string {
  return `${process} ${holdsLast(index) ? 'holding' : 'plain'} ${kind}`;
}

/** What a view has to show, by its name. */
export function showingOf(view: string): Showing {
  const [, holding, kind] = view.split(' ');
  const shown = kind === 'healthy' ? HEALTHY : WHOLE;
  return { shown, holds: holding === 'holding' && kind !== 'changes' };
}
