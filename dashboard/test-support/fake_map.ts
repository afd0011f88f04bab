import type { FeatureCollection } from 'geojson';
import type { Map as GLMap } from 'maplibre-gl';

type Data = FeatureCollection;

/**
 * The part of MapLibre that our layers use, in memory: it keeps sources, layers and
 * feature states, and refuses what the real one refuses.
 */
export class FakeMap {
  readonly sources = new Map<string, { data: Data; promoteId: string }>();
  readonly layers = new Map<string, { id: string; source: string; paint: Record<string, unknown> }>();
  readonly states = new Map<string, Record<string, unknown>>();
  /** How often a feature state was set. */
  writes = 0;
  /** Road ids that lie within `reach` pixels of whatever is asked for. */
  nearby: { id: string; reach: number }[] = [];

  asMap(): GLMap {
    return this as unknown as GLMap;
  }

  addSource(id: string, source: { data: Data; promoteId: string }): void {
    if (this.sources.has(id)) throw new Error(`Source "${id}" already exists.`);
    this.sources.set(id, { ...source });
  }

  getSource(id: string): unknown {
    const source = this.sources.get(id);
    return source && {
      setData: (data: Data) => {
        source.data = data;
      },
    };
  }

  removeSource(id: string): void {
    if ([...this.layers.values()].some((l) => l.source === id)) throw new Error(`Source "${id}" is used by a layer.`);
    this.sources.delete(id);
  }

  addLayer(layer: { id: string; source: string; paint?: Record<string, unknown> }): void {
    if (this.layers.has(layer.id)) throw new Error(`Layer "${layer.id}" already exists.`);
    if (!this.sources.has(layer.source)) throw new Error(`Source "${layer.source}" does not exist.`);
    this.layers.set(layer.id, { ...layer, paint: { ...layer.paint } });
  }

  getLayer(id: string): unknown {
    return this.layers.get(id);
  }

  removeLayer(id: string): void {
    this.layers.delete(id);
  }

  getStyle(): { layers: unknown[] } {
    return { layers: [{ id: 'land', type: 'background' }, ...this.layers.values()] };
  }

  setPaintProperty(id: string, name: string, value: unknown): void {
    const layer = this.layers.get(id);
    if (!layer) throw new Error(`There is no layer "${id}".`);
    layer.paint[name] = value;
  }

  setFeatureState({ source, id }: { source: string; id: string }, state: object): void {
    if (!this.sources.has(source)) throw new Error(`Source "${source}" does not exist.`);
    this.writes += 1;
    this.states.set(id, { ...this.states.get(id), ...state });
  }

  getFeatureState({ id }: { id: string }): Record<string, unknown> {
    return this.states.get(id) ?? {};
  }

  queryRenderedFeatures([[x1], [x2]]: [[number, number], [number, number]]): unknown[] {
    const reach = (x2 - x1) / 2;
    return this.nearby.filter((n) => n.reach <= reach).map(({ id }) => ({ properties: { road_id: id } }));
  }
}
