/**
 * What is pointed out on top of the roads: the selected road, and of a piece of
 * advice the road to leave and the detour. Each look is a line of its own shape, so
 * that they differ without colour: an outline, a dashed line, a solid line.
 */
import type { Feature } from 'geojson';
import type { LayerSpecification, LineLayerSpecification, Map as GLMap } from 'maplibre-gl';
import type { Network } from '../state/network';
import type { Theme } from '../theme/theme';
import { byZoom, type Expr } from './expression';
import { LayerGroup } from './layer_group';
import { OFFSETS } from './road_style';

const SOURCE = 'highlight';

export type Role = 'selected' | 'avoid' | 'detour';

/** Which roads are pointed out, and as what. */
export type Highlights = ReadonlyMap<string, Role>;

export class HighlightLayer {
  private readonly group = new LayerGroup({ source: SOURCE, layers: highlightLayers, promoteId: 'road_id' });

  onAdd(map: GLMap, theme: Theme): void {
    this.group.onAdd(map, theme);
  }

  onRemove(): void {
    this.group.onRemove();
  }

  setTheme(theme: Theme): void {
    this.group.setTheme(theme);
  }

  show(network: Network, highlights: Highlights): void {
    const features: Feature[] = [];
    for (const { geometry, properties } of network.geojson.features) {
      const role = highlights.get(properties.road_id);
      if (role === undefined || geometry === null) continue;
      features.push({
        type: 'Feature',
        geometry: geometry,
        properties: { road_id: properties.road_id, role },
      });
    }
    this.group.setData({ type: 'FeatureCollection', features });
  }
}

const offset = byZoom(OFFSETS);

function highlightLayers(theme: Theme): LayerSpecification[] {
  const { avoid, detour, selected, land } = theme.map;
  return [
    path('highlight-detour-casing', 'detour', { 'line-color': land, 'line-width': grow(7, 15) }),
    path('highlight-detour', 'detour', { 'line-color': detour, 'line-width': grow(4, 9) }),
    path('highlight-avoid-casing', 'avoid', { 'line-color': land, 'line-width': grow(8, 16) }),
    path('highlight-avoid', 'avoid', {
      'line-color': avoid, 'line-width': grow(5, 10), 'line-dasharray': [1, 0.6],
    }),
    path('highlight-selected-casing', 'selected', {
      'line-color': land, 'line-width': grow(2, 3), 'line-gap-width': grow(4, 12),
    }),
    path('highlight-selected', 'selected', {
      'line-color': selected, 'line-width': grow(2, 3), 'line-gap-width': grow(8, 18),
    }),
    {
      id: 'highlight-point',
      type: 'circle',
      source: SOURCE,
      filter: ['==', ['geometry-type'], 'Point'],
      paint: {
        'circle-radius': grow(8, 16),
        'circle-color': 'transparent',
        'circle-stroke-width': 2,
        'circle-stroke-color': ['match', ['get', 'role'], 'avoid', avoid, 'detour', detour, selected],
      },
    },
  ];
}

function grow(low: number, high: number): Expr {
  return byZoom([[10, low], [16, high]]);
}

function path(id: string, role: Role, paint: LineLayerSpecification['paint']): LineLayerSpecification {
  return {
    id,
    type: 'line',
    source: SOURCE,
    filter: ['all', ['==', ['geometry-type'], 'LineString'], ['==', ['get', 'role'], role]],
    layout: { 'line-cap': role === 'avoid' ? 'butt' : 'round', 'line-join': 'round' },
    paint: { 'line-offset': offset, ...paint },
  };
}
