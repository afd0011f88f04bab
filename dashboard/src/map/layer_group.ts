/**
 * A LayerGroup is a source with its layers as one thing: `onAdd` puts them on a map
 * and `onRemove` takes exactly those away. A change of theme sets new paint on the
 * layers that are there.
 */
import type { FeatureCollection } from 'geojson';
import type { GeoJSONSource, LayerSpecification, Map as GLMap } from 'maplibre-gl';
import type { Theme } from '../theme/theme';

export interface LayerGroupOptions {
  readonly source: string;
  /** Makes the layers, bottom first; all of `source`. */
  readonly layers: (theme: Theme) => LayerSpecification[];
  /** The property that names a feature. */
  readonly promoteId: string;
}

const EMPTY: FeatureCollection = { type: 'FeatureCollection', features: [] };

export class LayerGroup {
  private map: GLMap | null = null;

  constructor(private readonly options: LayerGroupOptions) {}

  onAdd(map: GLMap, theme: Theme): void {
    const { source, promoteId } = this.options;
    this.map = map;
    map.addSource(source, { type: 'geojson', data: EMPTY, promoteId });
    for (const layer of this.options.layers(theme)) map.addLayer(layer);
  }

  onRemove(): void {
    const map = this.map;
    if (!map) return;
    for (const id of this.layerIds()) if (map.getLayer(id)) map.removeLayer(id);
    if (map.getSource(this.options.source)) map.removeSource(this.options.source);
    this.map = null;
  }

  setData(data: FeatureCollection): void {
    const source = this.map?.getSource<GeoJSONSource>(this.options.source);
    void source?.setData(data);
  }

  setTheme(theme: Theme): void {
    for (const layer of this.options.layers(theme)) {
      for (const [name, value] of Object.entries(layer.paint ?? {})) {
        this.map?.setPaintProperty(layer.id, name as never, value as never);
      }
    }
  }

  private layerIds(): string[] {
    const all = this.map?.getStyle().layers ?? [];
    return all.filter((l) => 'source' in l && l.source === this.options.source).map((l) => l.id);
  }
}
