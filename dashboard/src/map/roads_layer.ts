/**
 * The roads on the map: geometry once, then only feature states. It remembers what
 * it painted and touches the roads whose look changes.
 */
import type { Feature, FeatureCollection } from 'geojson';
import type { Map as GLMap, PointLike } from 'maplibre-gl';
import type { Network } from '../state/network';
import type { RoadStates } from '../state/roads';
import type { Theme } from '../theme/theme';
import { LayerGroup } from './layer_group';
import { paintOf, roadLayers, ROADS, samePaint, UNPAINTED, type RoadPaint } from './road_style';

const PICKABLE = ['roads-score', 'roads-stale', 'roads-base', 'roads-point'];

/** Distances from the pointer within which a road is found, nearest first, in pixels. */
const REACH_PX = [1, 4, 8];

export class RoadsLayer {
  private readonly group = new LayerGroup({ source: ROADS, layers: roadLayers, promoteId: 'road_id' });
  private readonly painted = new Map<string, RoadPaint>();
  private map: GLMap | null = null;

  constructor(private readonly states: Pick<RoadStates, 'standing' | 'known'>) {}

  onAdd(map: GLMap, theme: Theme): void {
    this.map = map;
    this.group.onAdd(map, theme);
  }

  onRemove(): void {
    this.group.onRemove();
    this.painted.clear();
    this.map = null;
  }

  setTheme(theme: Theme): void {
    this.group.setTheme(theme);
  }

  setNetwork(network: Network): void {
    this.group.setData(featuresOf(network));
    this.paint(this.states.known());
  }

  /** Brings the look of these roads up to date. */
  paint(ids: Iterable<string>): void {
    if (!this.map) return;
    for (const id of ids) {
      const next = paintOf(this.states.standing(id));
      if (samePaint(next, this.painted.get(id) ?? UNPAINTED)) continue;
      this.painted.set(id, next);
      this.map.setFeatureState({ source: ROADS, id }, next);
    }
  }

  /** The road nearest to a point of the map's canvas, or null. */
  pick(x: number, y: number): string | null {
    for (const reach of REACH_PX) {
      const box: [PointLike, PointLike] = [
        [x - reach, y - reach],
        [x + reach, y + reach],
      ];
      const [hit] = this.map?.queryRenderedFeatures(box, { layers: PICKABLE }) ?? [];
      if (hit) return String(hit.properties['road_id']);
    }
    return null;
  }

  /** What the map itself holds as the look of a road. */
  drawn(id: string): RoadPaint {
    const state = this.map?.getFeatureState({ source: ROADS, id }) as Partial<RoadPaint> | undefined;
    return state?.kind === undefined ? UNPAINTED : { kind: state.kind, score: state.score ?? 0 };
  }
}

/** The features with just the properties that the layers read. */
function featuresOf(network: Network): FeatureCollection {
  const features: Feature[] = [];
  for (const { geometry, properties } of network.geojson.features) {
    if (geometry === null) continue;
    const id = properties.road_id;
    const name = network.byId.get(id)?.name ?? id;
    features.push({
      type: 'Feature',
      geometry: geometry,
      properties: { road_id: id, name, class: properties.class },
    });
  }
  return { type: 'FeatureCollection', features };
}
