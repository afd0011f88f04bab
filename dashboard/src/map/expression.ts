/** The few style expressions that the layers are made of, typed once. */
import type { ExpressionSpecification } from 'maplibre-gl';

export type Expr = ExpressionSpecification;

/** The curve along which sizes grow with zoom. */
const GROWTH = 1.6;

/** A size that grows with zoom between `[zoom, size]` stops. */
export function byZoom(stops: readonly (readonly [number, number | Expr])[]): Expr {
  return ['interpolate', ['exponential', GROWTH], ['zoom'], ...stops.flat()] as unknown as Expr;
}

/** A value that changes linearly with `input` along `value, output, value, output, …`. */
export function linear(input: Expr, stops: readonly (number | string)[]): Expr {
  return ['interpolate', ['linear'], input, ...stops] as unknown as Expr;
}

/** What `byZoom` gives for plain numbers, for those who must know it outside the map. */
export function sizeAt(stops: readonly (readonly [number, number])[], zoom: number): number {
  const after = stops.findIndex(([z]) => z >= zoom);
  const high = stops[after];
  const low = stops[after === -1 ? stops.length - 1 : after - 1];
  if (!high) return low?.[1] ?? 0;
  if (!low) return high[1];
  const t = (GROWTH ** (zoom - low[0]) - 1) / (GROWTH ** (high[0] - low[0]) - 1);
  return low[1] + (high[1] - low[1]) * t;
}
