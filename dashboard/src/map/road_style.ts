/**
 * How a road looks, as MapLibre layers. Three things speak at once, so that none
 * needs colour vision alone: colour and width grow with the score, and a road whose
 * data is old is dashed grey. A road without data is a thin pale line, which also
 * makes the city's shape visible where nothing is measured.
 *
 * Layers read the feature state `RoadPaint`, so an update never touches geometry.
 */
import type {
  CircleLayerSpecification, FilterSpecification, LayerSpecification, LineLayerSpecification, SymbolLayerSpecification,
} from 'maplibre-gl';
import type { Standing } from '../state/roads';
import { scoreStops } from '../theme/palette';
import type { Theme } from '../theme/theme';
import { byZoom, linear, type Expr } from './expression';

export const ROADS = 'roads';

/** The feature state of a road; `score` is rounded to what the eye can tell apart. */
export interface RoadPaint {
  readonly kind: 'scored' | 'stale' | 'none';
  readonly score: number;
}

export const UNPAINTED: RoadPaint = { kind: 'none', score: 0 };

/** The paint of a road's standing; a fresh reading without a score counts as none. */
export function paintOf(standing: Standing): RoadPaint {
  if (standing.freshness === 'stale') return { kind: 'stale', score: 0 };
  if (standing.freshness === 'none' || standing.score === null) return UNPAINTED;
  return { kind: 'scored', score: Math.round(standing.score * 100) / 100 };
}

export function samePaint(a: RoadPaint, b: RoadPaint): boolean {
  return a.kind === b.kind && a.score === b.score;
}

/** Line width in pixels at a zoom, for a score of 0 and of 1. */
const WIDTHS = [
  [10, 1, 2.6],
  [13, 2, 5],
  [16, 5, 12],
] as const;

/**
 * How far a road is drawn to the right of its line, in pixels at a zoom, so that the
 * two directions of a street lie side by side. Right is where people drive.
 */
export const OFFSETS = [
  [10, 0.8],
  [13, 2.3],
  [16, 6.2],
] as const;

const isLine: FilterSpecification = ['==', ['geometry-type'], 'LineString'];
const isPoint: FilterSpecification = ['==', ['geometry-type'], 'Point'];

const kind: Expr = ['coalesce', ['feature-state', 'kind'], 'none'];
const score: Expr = ['coalesce', ['feature-state', 'score'], 0];

/** `yes` for roads of kind `of`, `no` for the others. */
function when(of: RoadPaint['kind'], yes: number | Expr, no: number): Expr {
  return ['case', ['==', kind, of], yes, no];
}

function scoreWidth(extra: number): Expr {
  return byZoom(
    WIDTHS.map(([zoom, least, most]) => [zoom, linear(score, [0, least + extra, 1, most + extra])]),
  );
}

function scoreColour(theme: Theme): Expr {
  return linear(score, scoreStops(theme));
}

/** All layers of the roads, bottom first. */
export function roadLayers(theme: Theme): LayerSpecification[] {
  return [...lineLayers(theme), pointLayer(theme), nameLayer(theme)];
}

function line(
  id: string,
  paint: LineLayerSpecification['paint'],
  cap: 'round' | 'butt' = 'round',
): LineLayerSpecification {
  return {
    id,
    type: 'line',
    source: ROADS,
    filter: isLine,
    layout: { 'line-cap': cap, 'line-join': 'round' },
    paint: { 'line-offset': byZoom(OFFSETS), ...paint },
  };
}

function lineLayers(theme: Theme): LineLayerSpecification[] {
  const { map } = theme;
  const base = line('roads-base', {
    'line-color': map.roadNone,
    'line-width': byZoom([[10, 0.7], [13, 1.4], [16, 4.5]]),
  });
  const stale = line(
    'roads-stale',
    {
      'line-color': map.roadStale,
      'line-width': byZoom([[10, 1.1], [13, 2.2], [16, 5]]),
      'line-dasharray': [2.2, 1.6],
      'line-opacity': when('stale', 1, 0),
    },
    'butt',
  );
  const casing = line('roads-casing', {
    'line-color': map.roadCasing,
    'line-width': scoreWidth(1.4),
    'line-opacity': when('scored', 1, 0),
  });
  const scored = line('roads-score', {
    'line-color': scoreColour(theme),
    'line-width': scoreWidth(0),
    'line-opacity': when('scored', 1, 0),
  });
  return [base, stale, casing, scored];
}

/** A road of which only a place is known: a filled circle, hollow when stale. */
function pointLayer({ map, ...theme }: Theme): CircleLayerSpecification {
  const radius = (least: number, growth: number): Expr =>
    when('scored', ['+', least, ['*', growth, score]], least);
  const fill: Expr = ['match', kind, 'scored', scoreColour({ map, ...theme }), 'stale', map.land, map.roadNone];
  return {
    id: 'roads-point',
    type: 'circle',
    source: ROADS,
    filter: isPoint,
    paint: {
      'circle-radius': byZoom([[10, radius(3, 3)], [16, radius(7, 6)]]),
      'circle-color': fill,
      'circle-stroke-width': when('stale', 2, 1.2),
      'circle-stroke-color': ['match', kind, 'stale', map.roadStale, map.roadCasing],
    },
  };
}

/** Street names, drawn by the browser's own fonts: no glyph server is needed. */
function nameLayer({ map }: Theme): SymbolLayerSpecification {
  return {
    id: 'roads-name',
    type: 'symbol',
    source: ROADS,
    filter: isLine,
    minzoom: 14,
    layout: {
      'symbol-placement': 'line',
      'symbol-spacing': 400,
      'text-field': ['get', 'name'],
      'text-font': ['sans-serif'],
      'text-size': 12,
      // Beside the street, not on it: the two directions agree on one side.
      'text-offset': [0, -1.35],
      'text-max-angle': 30,
      'text-padding': 6,
    },
    paint: { 'text-color': map.label, 'text-halo-color': map.labelHalo, 'text-halo-width': 1.4 },
  };
}
