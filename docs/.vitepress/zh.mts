import type { DefaultTheme } from 'vitepress';

export const themeInChinese: DefaultTheme.Config = {
  nav: [
    { text: '快速开始', link: '/zh/getting-started' },
    { text: '性能', link: '/performance' },
    { text: 'API', link: '/api/' },
  ],
  sidebar: [
    {
      text: '入门',
      items: [
        { text: 'Coord 是什么', link: '/zh/' },
        { text: '快速开始', link: '/zh/getting-started' },
      ],
    },
    {
      text: '英文文档',
      items: [
        { text: '指南', link: '/guide/' },
        { text: '实用示例', link: '/recipes/' },
        { text: '运维', link: '/operations/' },
        { text: '迁移', link: '/migration/' },
        { text: '错误', link: '/reference/errors' },
        { text: '环境变量', link: '/reference/environment' },
        { text: '性能', link: '/performance' },
        { text: 'API', link: '/api/' },
      ],
    },
  ],
  outline: { label: '本页内容' },
  docFooter: { prev: '上一页', next: '下一页' },
  darkModeSwitchLabel: '外观',
  sidebarMenuLabel: '目录',
  returnToTopLabel: '回到顶部',
  langMenuLabel: '语言',
};

export const searchInChinese: DefaultTheme.LocalSearchOptions = {
  translations: {
    button: { buttonText: '搜索', buttonAriaLabel: '搜索' },
    modal: {
      displayDetails: '显示详细列表',
      resetButtonTitle: '清除',
      backButtonTitle: '关闭',
      noResultsText: '没有结果',
      footer: { selectText: '选择', navigateText: '切换', closeText: '关闭' },
    },
  },
};
