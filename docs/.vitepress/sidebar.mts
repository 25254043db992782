import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DefaultTheme } from 'vitepress';

const DOCS = join(import.meta.dirname, '..');

/**
 * The pages of a folder, so that a new page needs no entry anywhere: titled by their first heading, sorted by
 * `<!-- order: 1 -->` (without it they come last), then by title. `index.md` leads them.
 */
export function pagesIn(folder: string): DefaultTheme.SidebarItem[] {
  const path = join(DOCS, folder);
  if (!existsSync(path)) return [];
  const pages = readdirSync(path)
    .filter((file) => file.endsWith('.md'))
    .map((file) => {
      const text = readFileSync(join(path, file), 'utf8');
      const order =
        file === 'index.md'
          ? 0
          : Number(/^<!-- order: (\d+) -->$/m.exec(text)?.[1] ?? Number.MAX_SAFE_INTEGER);
      const title = /^# (.+)$/m.exec(text)?.[1] ?? file;
      const link = `/${folder}/${file.replace(/(index)?\.md$/, '')}`;
      return { order, text: title.replaceAll('`', ''), link };
    });
  return pages
    .sort((a, b) => a.order - b.order || a.text.localeCompare(b.text))
    .map(({ text, link }) => ({ text, link }));
}

/** The reference as TypeDoc made it; `npm run docs` makes it before the site. */
export function reference(): DefaultTheme.SidebarItem[] {
  const file = join(DOCS, 'api', 'typedoc-sidebar.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
}
