/**
 * `window.cityflow`: a small read-only view of what the map really holds, for the
 * browser tests and for curious operators. It changes nothing and knows no tokens.
 */
import type { CityMap } from '../map/city_map';
import type { RoadPaint } from '../map/road_style';
import { scoreColour } from '../theme/palette';
import type { Room } from '../room/room';

export interface Inspection {
  /** Each road of the network with the look that the map holds for it. */
  drawn(): (RoadPaint & { id: string; colour: string | null })[];
  /** Where the middle of a road is drawn, in pixels of the window; null for a road without a place. */
  pointOf(id: string): { x: number; y: number } | null;
  /** Resolves when the map has nothing left to draw. */
  idle(): Promise<void>;
}

declare global {
  interface Window {
    cityflow?: Inspection;
  }
}

/** Offers the inspection on the window; the result takes it away. */
export function publishInspection(room: Room, map: CityMap): () => void {
  window.cityflow = {
    drawn: () => roadIds(room).map((id) => {
      const paint = map.drawn(id);
      const colour = paint.kind === 'scored' ? scoreColour(room.theme.get(), paint.score) : null;
      return { id, ...paint, colour };
    }),
    pointOf: (id) => map.pointOf(id),
    idle: () => map.idle(),
  };
  return () => {
    delete window.cityflow;
  };
}

function roadIds(room: Room): string[] {
  const network = room.city.network.get();
  return network.state === 'ready' ? network.value.roads.map((road) => road.id) : [];
}
