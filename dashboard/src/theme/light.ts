import type { Theme } from './theme';

/** For a lit office: paper-like surfaces; congestion gets darker as it gets worse. */
export const light: Theme = {
  name: 'light',
  tokens: {
    page: '#eceeeb',
    surface: '#fbfbfa',
    surfaceRaised: '#ffffff',
    surfaceSunken: '#f1f2f0',
    line: '#dcdfdb',
    lineStrong: '#8c948f',
    text: '#1b2126',
    textMuted: '#56606a',
    accent: '#1f5f8b',
    accentText: '#ffffff',
    focus: '#0b63ce',
    good: '#2b6f4e',
    warn: '#8a5a00',
    bad: '#a3231f',
    forecast: '#6a4a9c',
  },
  map: {
    land: '#f1f2ef',
    roadNone: '#d3d6d2',
    roadStale: '#9aa19c',
    roadCasing: '#ffffff',
    selected: '#10151a',
    avoid: '#8f1d3f',
    detour: '#0f7a63',
    label: '#4a535b',
    labelHalo: '#f7f8f5',
  },
  score: ['#6fa9c4', '#bc8a14', '#9f3414', '#3e0a30'],
};
