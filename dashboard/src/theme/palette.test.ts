import { describe, expect, test } from 'vitest';
import { dark } from './dark';
import { light } from './light';
import { bandOf, BANDS, rgb, scoreColour, scoreStops } from './palette';
import type { Hex, Theme } from './theme';

/** How people without one kind of cone see linear RGB (Machado et al. 2009, severity 1). */
const VISION = {
  full: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
} as const;

type Triple = [number, number, number];

function linear(hex: Hex): Triple {
  return rgb(hex).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4)) as Triple;
}

function seen(hex: Hex, vision: readonly number[]): Triple {
  const colour = linear(hex);
  const channel = (row: number): number =>
    Math.min(1, Math.max(0, colour.reduce((sum, c, i) => sum + c * (vision[row * 3 + i] ?? 0), 0)));
  return [channel(0), channel(1), channel(2)];
}

/** CIELAB under D65. */
function lab([r, g, b]: Triple): Triple {
  const f = (t: number): number => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047);
  const y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function contrast(a: Hex, b: Hex): number {
  const [high, low] = [a, b].map((c) => {
    const [r, g, bl] = linear(c);
    return 0.2126 * r + 0.7152 * g + 0.0722 * bl + 0.05;
  }).sort((p, q) => q - p);
  return (high ?? 1) / (low ?? 1);
}

const themes: [string, Theme][] = [['light', light], ['dark', dark]];

describe.each(themes)('the %s scale', (_, theme) => {
  const middles = BANDS.map((_band, i) => (i + 0.5) / BANDS.length);

  test.each(Object.entries(VISION))('tells neighbouring bands apart with %s vision', (_name, vision) => {
    const colours = middles.map((score) => lab(seen(scoreColour(theme, score), vision)));
    for (let i = 1; i < colours.length; i++) {
      const [a, b] = [colours[i - 1], colours[i]];
      const distance = Math.hypot(...[0, 1, 2].map((k) => (a?.[k] ?? 0) - (b?.[k] ?? 0)));
      expect(distance, `band ${BANDS[i] ?? ''}`).toBeGreaterThan(15);
    }
  });

  test.each(Object.entries(VISION))('runs one way in lightness with %s vision', (_name, vision) => {
    const lightness = Array.from({ length: 21 }, (_x, i) => lab(seen(scoreColour(theme, i / 20), vision))[0]);
    const direction = Math.sign((lightness[20] ?? 0) - (lightness[0] ?? 0));
    for (let i = 1; i < lightness.length; i++) {
      // One unit of lightness back is below what anybody sees.
      expect(direction * ((lightness[i] ?? 0) - (lightness[i - 1] ?? 0))).toBeGreaterThan(-1);
    }
    expect(Math.abs((lightness[20] ?? 0) - (lightness[0] ?? 0))).toBeGreaterThan(40);
  });

  test('stands out from the land', () => {
    for (const score of [0, 0.5, 1]) expect(contrast(scoreColour(theme, score), theme.map.land)).toBeGreaterThan(2);
  });

  test('text can be read on every surface (WCAG AA)', () => {
    const { text, textMuted, good, warn, bad, accent, accentText, page, surface, surfaceRaised, surfaceSunken } = theme.tokens;
    for (const ground of [page, surface, surfaceRaised, surfaceSunken]) {
      for (const ink of [text, textMuted, good, warn, bad]) expect(contrast(ink, ground), `${ink} on ${ground}`).toBeGreaterThanOrEqual(4.5);
    }
    expect(contrast(accentText, accent)).toBeGreaterThanOrEqual(4.5);
    expect(contrast(theme.tokens.focus, surface)).toBeGreaterThanOrEqual(3);
    expect(contrast(theme.tokens.lineStrong, surfaceRaised)).toBeGreaterThanOrEqual(3);
    expect(contrast(theme.map.label, theme.map.land)).toBeGreaterThanOrEqual(4.5);
  });
});

test('the colour of a score equals what the map interpolates, at and between the stops', () => {
  const stops = scoreStops(light);
  for (let i = 0; i < stops.length; i += 2) expect(scoreColour(light, stops[i] as number)).toBe(stops[i + 1]);
  const [r] = rgb(scoreColour(light, 0.25));
  const [a, b] = [rgb(light.score[0])[0], rgb(light.score[1])[0]];
  expect(r).toBe(Math.round((a + b) / 2));
  expect(scoreColour(light, -5)).toBe(light.score[0]);
  expect(scoreColour(light, 5)).toBe(light.score[3]);
});

test('bands are quarters of the scale', () => {
  expect([0, 0.24, 0.25, 0.49, 0.5, 0.75, 1, 7, -1].map(bandOf)).toEqual([
    'free', 'free', 'dense', 'dense', 'saturated', 'blocked', 'blocked', 'blocked', 'free',
  ]);
});
