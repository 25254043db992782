import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DefaultTheme } from 'vitepress';

const DOCS = join(import.meta.dirname, '..');

/**
 * The pages of a folder, so that a new page needs no entry here: titled by their first heading, in the order in which
 * the folder's `index.md` links to them, the rest by title.
 */
export function pagesIn(folder: string): DefaultTheme.SidebarItem[] {
  const path = join(DOCS, folder);
  if (!existsSync(path)) return [];
  const names = readdirSync(path)
    .filter((file) => file.endsWith('.md') && file !== 'index.md')
    .map((file) => file.replace(/\.md$/, ''));
  const overview = existsSync(join(path, 'index.md')) ? readFileSync(join(path, 'index.md'), 'utf8') : '';
  const linked = [...overview.matchAll(/\]\((?:\.\/)?([\w-]+)(?:\.md)?(?:#[^)]*)?\)/g)].map(
    ([, name]) => name,
  );
  const placeOf = (name: string) => (linked.includes(name) ? linked.indexOf(name) : linked.length);
  const pages = names.map((name) => ({
    place: placeOf(name),
    text: titleOf(join(path, `${name}.md`)),
    link: `/${folder}/${name}`,
  }));
  const sorted = pages
    .sort((a, b) => a.place - b.place || a.text.localeCompare(b.text))
    .map(({ text, link }) => ({ text, link }));
  return overview === '' ? sorted : [{ text: 'Overview', link: `/${folder}/` }, ...sorted];
}

function titleOf(file: string): string {
  const title = /^# (.+)$/m.exec(readFileSync(file, 'utf8'))?.[1];
  if (title === undefined) throw new Error(`${file} has no heading`);
  return title.replaceAll('`', '');
}

/**
 * The reference as TypeDoc made it; `npm run docs` makes it before the site. The names of a package are shown beside its own
 * pages only.
 */
export function reference(): DefaultTheme.SidebarMulti {
  const file = join(DOCS, 'api', 'typedoc-sidebar.json');
  const packages: DefaultTheme.SidebarItem[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
  const around = (open?: DefaultTheme.SidebarItem): DefaultTheme.SidebarItem[] => {
    const items = packages.map((item) => (item === open ? { ...item, collapsed: false } : nameOf(item)));
    return [{ text: 'API', link: '/api/', items }];
  };
  return Object.fromEntries([
    ['/api/', around()],
    ...packages.map((item) => [item.link ?? '', around(item)] as const),
  ]);
}

const nameOf = ({ text = '', link = '' }: DefaultTheme.SidebarItem) => ({ text, link });
