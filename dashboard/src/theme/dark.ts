import type { Theme } from './theme';

/** For a dim control room: congestion glows brighter as it gets worse. */
export const dark: Theme = {
  name: 'dark',
  tokens: {
    page: '#0c1014',
    surface: '#141a20',
    surfaceRaised: '#1b232b',
    surfaceSunken: '#10151a',
    line: '#28323b',
    lineStrong: '#6d7a86',
    text: '#e6eaed',
    textMuted: '#9fabb5',
    accent: '#7db7e0',
    accentText: '#0c1014',
    focus: '#8ec7ff',
    good: '#74c79c',
    warn: '#e2b15a',
    bad: '#ff8f85',
    forecast: '#bda2ee',
  },
  map: {
    land: '#10151a',
    roadNone: '#2b353f',
    roadStale: '#5b6671',
    roadCasing: '#0a0d10',
    selected: '#ffffff',
    avoid: '#ff6f91',
    detour: '#4fd6b0',
    label: '#a9b4be',
    labelHalo: '#10151a',
  },
  score: ['#2a6489', '#8f6f2a', '#ff9457', '#ffefe6'],
};
