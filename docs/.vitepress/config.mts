import { type DefaultTheme, defineConfig } from 'vitepress';
import { pagesIn, reference } from './sidebar.mjs';
import { searchInChinese, themeInChinese } from './zh.mjs';

const section = (text: string, items: DefaultTheme.SidebarItem[]): DefaultTheme.SidebarItem[] =>
  items.length > 0 ? [{ text, items }] : [];

export default defineConfig({
  title: 'Coord',
  description: 'Locks, service discovery, configuration and gRPC load balancing for Node.js on etcd',
  cleanUrls: true,
  lastUpdated: false,
  ignoreDeadLinks: false,
  srcExclude: ['test/**'],
  // The index of the search is one chunk.
  vite: { build: { chunkSizeWarningLimit: 4_000 } },
  themeConfig: {
    search: { provider: 'local', options: { locales: { zh: searchInChinese } } },
    outline: [2, 3],
  },
  locales: {
    root: {
      label: 'English',
      lang: 'en',
      themeConfig: {
        nav: [
          { text: 'Getting started', link: '/getting-started' },
          { text: 'Performance', link: '/performance' },
          { text: 'API', link: '/api/', activeMatch: '^/api/' },
        ],
        sidebar: {
          ...reference(),
          '/': [
            ...section('Start', [
              { text: 'What Coord is', link: '/' },
              { text: 'Getting started', link: '/getting-started' },
            ]),
            ...section('Guides', pagesIn('guide')),
            ...section('Recipes', pagesIn('recipes')),
            ...section('Operations', pagesIn('operations')),
            ...section('Migration', pagesIn('migration')),
            ...section('Reference', [
              ...pagesIn('reference'),
              { text: 'Performance', link: '/performance' },
              { text: 'Reliability', link: '/reliability' },
              { text: 'API', link: '/api/' },
            ]),
          ],
        },
      },
    },
    zh: { label: '简体中文', lang: 'zh-CN', link: '/zh/', themeConfig: themeInChinese },
  },
});
