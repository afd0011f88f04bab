import { createExpression, latest, validateStyleMin, type StyleSpecification } from '@maplibre/maplibre-gl-style-spec';
import { describe, expect, test } from 'vitest';
import { dark } from '../theme/dark';
import { light } from '../theme/light';
import { scoreColour } from '../theme/palette';
import { byZoom, sizeAt } from './expression';
import { OFFSETS, paintOf, ROADS, roadLayers, samePaint, UNPAINTED } from './road_style';

type LineProperty = 'line-width' | 'line-color';

/** What MapLibre makes of an expression for a feature with this state at this zoom. */
function evaluate(expression: unknown, zoom: number, state: Record<string, unknown>, property: LineProperty = 'line-width'): unknown {
  const made = createExpression(expression, property, latest.paint_line[property] as never);
  if (made.result !== 'success') throw new Error(JSON.stringify(made.value));
  return made.value.evaluate({ zoom }, { type: 2, properties: {} } as never, state);
}

function paint(layer: string, property: string): unknown {
  const found = roadLayers(light).find((l) => l.id === layer);
  return (found?.paint as Record<string, unknown> | undefined)?.[property];
}

describe('paintOf', () => {
  test('never gives a score to a road that is stale or was not measured', () => {
    expect(paintOf({ freshness: 'fresh', score: 0.4567 })).toEqual({ kind: 'scored', score: 0.46 });
    expect(paintOf({ freshness: 'stale', score: 0.9 })).toEqual({ kind: 'stale', score: 0 });
    expect(paintOf({ freshness: 'fresh', score: null })).toEqual(UNPAINTED);
    expect(paintOf({ freshness: 'none', score: null })).toEqual(UNPAINTED);
  });

  test('differences that nobody sees are none', () => {
    const a = paintOf({ freshness: 'fresh', score: 0.501 });
    expect(samePaint(a, paintOf({ freshness: 'fresh', score: 0.504 }))).toBe(true);
    expect(samePaint(a, paintOf({ freshness: 'fresh', score: 0.52 }))).toBe(false);
    expect(samePaint(a, paintOf({ freshness: 'stale', score: null }))).toBe(false);
  });
});

describe('the layers', () => {
  test.each([light, dark])('are a valid style in the $name theme', (theme) => {
    const style: StyleSpecification = {
      version: 8,
      sources: { [ROADS]: { type: 'geojson', data: { type: 'FeatureCollection', features: [] }, promoteId: 'road_id' } },
      layers: roadLayers(theme),
    };
    // A style without `glyphs` draws text with the browser's own fonts, which the validator does not know of.
    const faults = validateStyleMin(style).filter((e) => !e.message.includes('glyphs'));
    expect(faults.map((e) => e.message)).toEqual([]);
  });

  test('width grows with the score, and a road without a score is drawn as one', () => {
    const width = paint('roads-score', 'line-width');
    for (const zoom of [10, 12.5, 16]) {
      const at = (score: number): number => evaluate(width, zoom, { kind: 'scored', score }) as number;
      expect(at(1)).toBeGreaterThan(1.5 * at(0));
    }
    expect(evaluate(paint('roads-score', 'line-opacity'), 12, { kind: 'scored', score: 0 })).toBe(1);
    for (const state of [{}, { kind: 'none' }, { kind: 'stale', score: 0 }]) {
      expect(evaluate(paint('roads-score', 'line-opacity'), 12, state)).toBe(0);
    }
    expect(evaluate(paint('roads-stale', 'line-opacity'), 12, { kind: 'stale' })).toBe(1);
    expect(evaluate(paint('roads-stale', 'line-opacity'), 12, { kind: 'scored', score: 1 })).toBe(0);
  });

  test('colours are those of the palette', () => {
    for (const score of [0, 0.2, 0.37, 0.5, 0.81, 1]) {
      const colour = evaluate(paint('roads-score', 'line-color'), 12, { kind: 'scored', score }, 'line-color') as { r: number; g: number; b: number };
      const hex = scoreColour(light, score);
      const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255);
      expect(colour.r).toBeCloseTo(r ?? 0, 1);
      expect(colour.g).toBeCloseTo(g ?? 0, 1);
      expect(colour.b).toBeCloseTo(b ?? 0, 1);
    }
  });

  test('the two directions of a street lie side by side, not on each other', () => {
    for (const zoom of [11, 13, 15, 18]) {
      const width = evaluate(paint('roads-score', 'line-width'), zoom, { kind: 'scored', score: 0.5 }) as number;
      expect(2 * sizeAt(OFFSETS, zoom)).toBeGreaterThan(0.85 * width);
    }
  });

  test('sizeAt is what the map itself computes', () => {
    for (const zoom of [5, 10, 11.3, 13, 14.9, 16, 20]) {
      expect(sizeAt(OFFSETS, zoom)).toBeCloseTo(evaluate(byZoom(OFFSETS), zoom, {}) as number, 6);
    }
  });
});
