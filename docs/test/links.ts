import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { createMarkdownRenderer } from 'vitepress';
import { ROOT } from './markdown-blocks.js';

/** A page as VitePress renders it: where it may be entered, and where it leads. */
interface RenderedPage {
  readonly anchors: ReadonlySet<string>;
  readonly links: readonly string[];
}

const renderer = await createMarkdownRenderer(join(ROOT, 'docs'), { highlight: (code) => code });

const rendered = new Map<string, RenderedPage>();

function render(file: string): RenderedPage {
  let page = rendered.get(file);
  if (page === undefined) {
    const html: string = renderer.render(readFileSync(join(ROOT, file), 'utf8'), {
      path: join(ROOT, file),
      relativePath: posix.relative('docs', file),
      cleanUrls: true,
    });
    const all = (attribute: string) =>
      [...html.matchAll(new RegExp(`<[^>]* ${attribute}="([^"]*)"`, 'g'))].map(([, value = '']) => value);
    page = { anchors: new Set(all('id')), links: [...all('href'), ...all('src')] };
    rendered.set(file, page);
  }
  return page;
}

/** The links of a page that lead nowhere; those to other sites are left alone. */
export function deadLinksOf(page: string): string[] {
  return render(page).links.filter(
    (link) => !/^[a-z]+:/.test(link) && !leadsSomewhere(page, decodeURI(link)),
  );
}

function leadsSomewhere(from: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? from : fileOf(from, path);
  if (target === undefined) return false;
  return anchor === undefined || !target.endsWith('.md') || render(target).anchors.has(anchor);
}

/** The file that a link means; undefined if there is none. */
function fileOf(from: string, link: string): string | undefined {
  const onSite = from.startsWith('docs/');
  const path = link.startsWith('/') ? posix.join('docs', link) : posix.join(dirname(from), link);
  // What is not in the folder of the site is not on the site.
  if (onSite && !path.startsWith('docs/') && path !== 'docs') return undefined;
  const bare = path.replace(/\/$/, '').replace(/\.html$/, '');
  const candidates = [bare, `${bare}.md`, `${bare}/index.md`, `${bare}/README.md`];
  return candidates.find((file) => existsSync(join(ROOT, file)) && (!onSite || file.endsWith('.md')));
}
