/**
 * The congestion scale as pure arithmetic: which colour, which line width and
 * which word belong to a score of 0 (free flow) to 1 (standstill). The map's
 * style expressions, the legend and the tables all read this one file.
 */
import type { Hex, Theme } from './theme';

/** The operator's four bands; score v2 gives each a quarter of the scale. */
export const BANDS = ['free', 'dense', 'saturated', 'blocked'] as const;
export type Band = (typeof BANDS)[number];

/** The band of a score; values outside 0 to 1 are clamped. */
export function bandOf(score: number): Band {
  const i = Math.min(BANDS.length - 1, Math.max(0, Math.floor(score * BANDS.length)));
  return BANDS[i] ?? 'free';
}

/** Where on the scale colour `i` stands: in the middle of its band. */
function middleOf(i: number): number {
  return (i + 0.5) / BANDS.length;
}

/** The colour of a score on a theme's scale, linear in sRGB as MapLibre draws it. */
export function scoreColour(theme: Theme, score: number): Hex {
  const stops = theme.score;
  const x = Math.min(stops.length - 1, Math.max(0, score * BANDS.length - 0.5));
  const i = Math.min(stops.length - 2, Math.floor(x));
  const from = stops[i] ?? stops[0];
  const to = stops[i + 1] ?? stops[3];
  return mix(from, to, x - i);
}

/** The scale's stops as `[score, colour, score, colour, …]` for a style expression. */
export function scoreStops(theme: Theme): (number | Hex)[] {
  return theme.score.flatMap((colour, i) => [middleOf(i), colour]);
}

/** Splits `#rrggbb` into 0 to 255 each. */
export function rgb(hex: Hex): [number, number, number] {
  const n = parseInt(hex.slice(1), 16);
  return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
}

function mix(a: Hex, b: Hex, t: number): Hex {
  const [ar, ag, ab] = rgb(a);
  const [br, bg, bb] = rgb(b);
  const channel = (x: number, y: number): string =>
    Math.round(x + (y - x) * t)
      .toString(16)
      .padStart(2, '0');
  return `#${channel(ar, br)}${channel(ag, bg)}${channel(ab, bb)}`;
}
