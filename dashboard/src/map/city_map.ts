/**
 * The map of the city: MapLibre with our layers, following the city's state and the
 * view. It needs no server but ours: no tiles, no glyphs, no sprites.
 *
 * @example
 * const map = new CityMap({ container, theme, city, view });
 * map.setTheme(dark);
 * map.remove();
 */
import 'maplibre-gl/dist/maplibre-gl.css';
import { Map as GLMap, NavigationControl, ScaleControl, setWorkerUrl, type MapMouseEvent } from 'maplibre-gl';
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url';
import type { RoadFeature } from '../api/types';
import type { MapPosition } from '../link/hash';
import { findAdvice } from '../state/advice';
import type { City } from '../state/city';
import type { Bounds, Network } from '../state/network';
import type { View } from '../state/view';
import { t } from '../text/text';
import type { Theme } from '../theme/theme';
import { describeRoad } from './describe';
import { sizeAt } from './expression';
import { FitControl } from './fit_control';
import { boundsOfRoads, middle, middlePiece, near, sameBounds } from '../state/geometry';
import { HighlightLayer, type Highlights, type Role } from './highlight_layer';
import { OFFSETS, type RoadPaint } from './road_style';
import { RoadsLayer } from './roads_layer';
import { Tooltip } from './tooltip';

export interface CityMapOptions {
  readonly container: HTMLElement;
  readonly theme: Theme;
  readonly city: City;
  readonly view: View;
}

const PADDING_PX = 36;
const NARROW_PX = 600;
const LEGEND_PX = 96;
const CLOSE_ZOOM = 14.5;
const EASE_MS = 600;

export class CityMap {
  private readonly gl: GLMap;
  private readonly roads: RoadsLayer;
  private readonly highlight = new HighlightLayer();
  private readonly tooltip: Tooltip;
  private readonly endings: (() => void)[] = [];
  private readonly resize: ResizeObserver;
  private theme: Theme;
  private loaded = false;
  /** Whether the user chose what to look at; until then the map shows the whole city. */
  private touched = false;
  private shownBounds: Bounds | null = null;
  private shownRoad: string | null = null;

  /** Throws when the browser cannot draw with WebGL 2. */
  constructor(private readonly options: CityMapOptions) {
    setWorkerUrl(workerUrl);
    this.theme = options.theme;
    this.roads = new RoadsLayer(options.city.roads);
    this.gl = new GLMap({
      container: options.container,
      style: {
        version: 8,
        sources: {},
        layers: [{ id: 'land', type: 'background', paint: { 'background-color': this.theme.map.land } }],
      },
      attributionControl: false,
      dragRotate: false,
      pitchWithRotate: false,
      maxZoom: 19,
      fadeDuration: 0,
      locale: {
        'NavigationControl.ZoomIn': t('map.zoomIn'),
        'NavigationControl.ZoomOut': t('map.zoomOut'),
        'Map.Title': t('map.title'),
      },
    });
    this.tooltip = new Tooltip(options.container);
    this.addControls();
    this.gl.touchZoomRotate.disableRotation();
    this.gl.once('load', () => {
      this.begin();
    });
    this.resize = new ResizeObserver(() => {
      this.gl.resize();
      if (!this.touched && this.shownBounds) this.fitTo(this.shownBounds, false);
    });
    this.resize.observe(options.container);
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    if (!this.loaded) return;
    this.gl.setPaintProperty('land', 'background-color', theme.map.land);
    this.roads.setTheme(theme);
    this.highlight.setTheme(theme);
  }

  remove(): void {
    for (const end of this.endings) end();
    this.resize.disconnect();
    this.tooltip.remove();
    this.gl.remove();
  }

  /** Resolves when everything that is known is on the screen. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.gl.once('idle', () => {
        resolve();
      });
      this.gl.triggerRepaint();
    });
  }

  /** The look that the map holds for a road. */
  drawn(id: string): RoadPaint {
    return this.roads.drawn(id);
  }

  /** Where the middle of a road is drawn, in pixels of the window; null for a road without a place. */
  pointOf(id: string): { x: number; y: number } | null {
    const piece = middlePiece(this.geometry(id) ?? { type: 'Point', coordinates: [] });
    if (!piece) return null;
    const [from, to] = piece;
    const a = this.gl.project(from);
    const b = this.gl.project(to);
    const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
    const shift = sizeAt(OFFSETS, this.gl.getZoom()) / length;
    const { left, top } = this.options.container.getBoundingClientRect();
    return {
      x: left + (a.x + b.x) / 2 - (b.y - a.y) * shift,
      y: top + (a.y + b.y) / 2 + (b.x - a.x) * shift,
    };
  }

  private addControls(): void {
    this.gl.addControl(new NavigationControl({ showCompass: false }), 'top-left');
    this.gl.addControl(
      new FitControl(() => {
        this.touched = true;
        this.fitCity();
      }),
      'top-left',
    );
    this.gl.addControl(new ScaleControl({ unit: 'metric' }), 'bottom-right');
  }

  private begin(): void {
    const { city, view } = this.options;
    this.loaded = true;
    this.roads.onAdd(this.gl, this.theme);
    this.highlight.onAdd(this.gl, this.theme);
    this.setTheme(this.theme);
    this.follow(city.network, () => {
      this.showNetwork();
    });
    this.follow(view.link, () => {
      this.followLink();
    });
    this.follow(view.advice, () => {
      this.showHighlights(true);
    });
    this.follow(city.advice, () => {
      this.showHighlights(false);
    });
    this.endings.push(city.roads.subscribe((ids) => {
      this.roads.paint(ids);
    }));
    this.listen();
    const { map } = view.link.get();
    if (map) {
      this.touched = true;
      this.gl.jumpTo({ center: [map.lng, map.lat], zoom: map.zoom });
    }
    this.showNetwork();
    this.followLink();
  }

  private follow(cell: { subscribe(run: () => void): () => void }, run: () => void): void {
    this.endings.push(cell.subscribe(run));
  }

  private listen(): void {
    this.gl.on('click', (event) => {
      const road = this.roads.pick(event.point.x, event.point.y);
      if (road !== null) this.options.view.go({ road });
    });
    this.gl.on('mousemove', (event) => {
      this.hover(event);
    });
    this.gl.on('mouseout', () => {
      this.tooltip.hide();
    });
    this.gl.on('movestart', (event) => {
      if (event.originalEvent) this.touched = true;
    });
    this.gl.on('moveend', () => {
      // The whole city is what everybody sees at first: that is not worth a link.
      if (this.touched) this.options.view.go({ map: this.position() });
    });
  }

  private hover({ point }: MapMouseEvent): void {
    const id = this.roads.pick(point.x, point.y);
    this.gl.getCanvas().style.cursor = id === null ? '' : 'pointer';
    const road = id === null ? undefined : this.network()?.byId.get(id);
    if (!road) {
      this.tooltip.hide();
      return;
    }
    const { roads } = this.options.city;
    this.tooltip.show(point.x, point.y, describeRoad(road, roads.get(road.id), roads.standing(road.id)));
  }

  private network(): Network | null {
    const network = this.options.city.network.get();
    return network.state === 'ready' ? network.value : null;
  }

  private geometry(id: string): RoadFeature['geometry'] {
    const features = this.network()?.geojson.features;
    return features?.find((f) => f.properties.road_id === id)?.geometry ?? null;
  }

  private showNetwork(): void {
    const network = this.network();
    if (!network) return;
    this.roads.setNetwork(network);
    this.showHighlights(false);
    if (!this.touched && network.bounds && !sameBounds(network.bounds, this.shownBounds)) {
      this.shownBounds = network.bounds;
      this.fitTo(network.bounds, false);
    }
  }

  private fitCity(): void {
    const bounds = this.network()?.bounds;
    if (bounds) this.fitTo(bounds, true);
  }

  private fitTo([west, south, east, north]: Bounds, animate: boolean): void {
    const box: [number, number, number, number] = [west, south, east, north];
    // On a phone the legend takes the whole bottom of the map.
    const narrow = this.options.container.clientWidth < NARROW_PX;
    const padding = { top: PADDING_PX, left: PADDING_PX, right: PADDING_PX, bottom: narrow ? LEGEND_PX : PADDING_PX };
    this.gl.fitBounds(box, { padding, maxZoom: 16, animate });
  }

  /** Moves to a position, at once where the user asked for reduced motion. */
  private go({ lng, lat, zoom }: MapPosition): void {
    this.touched = true;
    this.gl.easeTo({ center: [lng, lat], zoom, duration: EASE_MS });
  }

  private position(): MapPosition {
    const { lng, lat } = this.gl.getCenter();
    return { lng, lat, zoom: this.gl.getZoom() };
  }

  private followLink(): void {
    const { map, road } = this.options.view.link.get();
    if (map && !near(map, this.position())) this.go(map);
    else if (road !== null && road !== this.shownRoad) this.reveal(road);
    this.shownRoad = road;
    this.showHighlights(false);
  }

  /** Brings a road into sight that was selected elsewhere; a visible one moves nothing. */
  private reveal(id: string): void {
    const geometry = this.geometry(id);
    const point = geometry && middle(geometry);
    if (!point || this.gl.getBounds().contains(point)) return;
    this.go({ lng: point[0], lat: point[1], zoom: Math.max(this.gl.getZoom(), CLOSE_ZOOM) });
  }

  private showHighlights(move: boolean): void {
    const network = this.network();
    if (!network) return;
    const highlights = this.highlights();
    this.highlight.show(network, highlights);
    const advised = move && this.options.view.advice.get() !== null;
    const bounds = advised ? boundsOfRoads(network, highlights) : null;
    if (!bounds) return;
    this.touched = true;
    this.fitTo(bounds, true);
  }

  private highlights(): Highlights {
    const { city, view } = this.options;
    const roles = new Map<string, Role>();
    const { road } = view.link.get();
    if (road !== null) roles.set(road, 'selected');
    const chosen = view.link.get().tab === 'advice' ? view.advice.get() : null;
    const advice = findAdvice(city.advice.get() ?? [], chosen);
    for (const step of advice?.path ?? []) roles.set(step.road_id, 'detour');
    if (advice) roles.set(advice.route_id, 'avoid');
    return roles;
  }
}
