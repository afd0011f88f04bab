/** A path of roads told as a person would: each street once while one stays on it. */
import type { Reroute } from '../api/types';
import { streetName } from '../units/format';

export interface Street {
  readonly name: string;
  /** The first of the path's roads on this street. */
  readonly firstRoad: string;
}

export function streetsOf(path: Reroute['path']): Street[] {
  const streets: Street[] = [];
  for (const step of path) {
    const name = streetName(step.label) || step.road_id;
    if (streets[streets.length - 1]?.name !== name) streets.push({ name, firstRoad: step.road_id });
  }
  return streets;
}
