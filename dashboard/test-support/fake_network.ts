/**
 * A made-up road network for development and tests: a bent grid with two ring-like
 * boulevards, both directions of each street, a river without roads, some roads of
 * which only a point is known and some of which nothing is. The same seed gives the
 * same city.
 */
import type { RoadCollection, RoadFeature, RoadProperties } from '../src/api/types';

const COLUMNS = 26;
const ROWS = 20;
const CENTRE = { lat: 48.8566, lng: 2.3522 };
const STEP = { lat: 0.0034, lng: 0.0052 };

const EAST_WEST = [
  'Rue_des_Tanneurs', 'Boulevard_du_Nord', 'Rue_Lamarck', 'Rue_des_Abbesses', 'Avenue_de_la_République',
  'Rue_de_Maubeuge', 'Rue_Lafayette', 'Boulevard_Haussmann', 'Rue_Réaumur', 'Rue_de_Rivoli', 'Quai_de_la_Mégisserie',
  'Quai_Saint-Michel', 'Boulevard_Saint-Germain', 'Rue_de_Vaugirard', 'Rue_d’Assas', 'Boulevard_du_Montparnasse',
  'Rue_Daguerre', 'Avenue_du_Maine', 'Rue_d’Alésia', 'Boulevard_Brune',
];

/** A small generator of repeatable chance: numbers in [0, 1). */
export function chance(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function fakeNetwork(seed = 1): RoadCollection {
  const random = chance(seed);
  const node = nodePlacer(random);
  const features: RoadFeature[] = [];
  for (let row = 0; row < ROWS; row++) {
    for (let col = 0; col < COLUMNS; col++) {
      if (outside(col, row)) continue;
      if (!outside(col + 1, row) && random() > 0.06) {
        features.push(...street([col, row], [col + 1, row], streetName(row, true), node));
      }
      if (!outside(col, row + 1) && !crossesRiver(col, row) && random() > 0.08) {
        features.push(...street([col, row], [col, row + 1], streetName(col, false), node));
      }
    }
  }
  return { type: 'FeatureCollection', features: [...features, ...unplaced(node)] };
}

type Grid = readonly [col: number, row: number];
type Place = (at: Grid) => [number, number];

/** Outside of an ellipse lies the countryside. */
function outside(col: number, row: number): boolean {
  const x = (col - (COLUMNS - 1) / 2) / (COLUMNS / 2);
  const y = (row - (ROWS - 1) / 2) / (ROWS / 2);
  return x * x + y * y > 1;
}

/** The river runs between rows 10 and 11; a bridge stands at every fourth column. */
function crossesRiver(col: number, row: number): boolean {
  return row === 10 && col % 4 !== 1;
}

function nodePlacer(random: () => number): Place {
  const shifts = Array.from({ length: (COLUMNS + 1) * (ROWS + 1) }, () => [random() - 0.5, random() - 0.5] as const);
  return ([col, row]) => {
    const [dx, dy] = shifts[row * (COLUMNS + 1) + col] ?? [0, 0];
    const x = col - (COLUMNS - 1) / 2 + dx * 0.35;
    const y = row - (ROWS - 1) / 2 + dy * 0.35;
    // A gentle bend keeps it from looking like squared paper.
    const bend = Math.sin(x / 6) * 1.1;
    return [CENTRE.lng + x * STEP.lng + y * 0.0006, CENTRE.lat - (y + bend) * STEP.lat];
  };
}

function streetName(i: number, eastWest: boolean): string {
  return eastWest ? (EAST_WEST[i] ?? 'Rue_sans_Nom') : `${i % 5 === 0 ? 'Boulevard' : 'Rue'}_No_${i + 1}`;
}

function street(a: Grid, b: Grid, label: string, place: Place): RoadFeature[] {
  return [arc(a, b, label, place), arc(b, a, label, place)];
}

function arc(from: Grid, to: Grid, label: string, place: Place): RoadFeature {
  const [x1, y1] = place(from);
  const [x2, y2] = place(to);
  const bow = 0.00012;
  const middle = [(x1 + x2) / 2 + bow, (y1 + y2) / 2 + bow];
  const id = `R-${from.join('.')}-${to.join('.')}`;
  return {
    type: 'Feature',
    id,
    geometry: { type: 'LineString', coordinates: [[x1, y1], middle, [x2, y2]] },
    properties: properties(id, label, Math.hypot((x2 - x1) * 73_000, (y2 - y1) * 111_000)),
  };
}

/** Roads of a sensor that told only its place, or not even that. */
function unplaced(place: Place): RoadFeature[] {
  const points = [3, 9, 14, 20].map((col): RoadFeature => {
    const id = `POINT-${col}`;
    return { type: 'Feature', id, geometry: { type: 'Point', coordinates: place([col, 4]) }, properties: properties(id, `Compteur ${col}`, null) };
  });
  const nowhere = [1, 2, 3].map((i): RoadFeature => {
    const id = `NOWHERE-${i}`;
    return { type: 'Feature', id, geometry: null, properties: properties(id, i === 3 ? '<img src=x onerror=alert(1)>' : '', null) };
  });
  return [...points, ...nowhere];
}

function properties(id: string, label: string, length: number | null): RoadProperties {
  const main = label.startsWith('Boulevard') || label.startsWith('Avenue');
  return {
    road_id: id,
    label,
    class: main ? 'primary' : 'secondary',
    length_m: length === null ? null : Math.round(length),
    free_flow_kmh: main ? 48 : 36,
    capacity_vph: main ? 1800 : 800,
    from_node: null,
    to_node: null,
  };
}
