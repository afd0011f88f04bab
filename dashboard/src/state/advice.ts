/** Which advice comes first, and which one it still is after it was computed anew. */
import type { Reroute } from '../api/types';

/** Names advice by what it says: its id changes with each computation. */
export type AdviceKey = Pick<Reroute, 'route_id' | 'alt_route_id'>;

/** The advice of a key; when its detour has changed, the new one for the same road. */
export function findAdvice(advice: readonly Reroute[], key: AdviceKey | null): Reroute | undefined {
  if (key === null) return undefined;
  const same = advice.filter((a) => a.route_id === key.route_id);
  return same.find((a) => a.alt_route_id === key.alt_route_id) ?? same[0];
}

/** Newest computation first; of one computation, what saves most time first. */
export function bestFirst(advice: readonly Reroute[]): Reroute[] {
  return [...advice].sort(
    (a, b) => Date.parse(b.ts) - Date.parse(a.ts) || b.eta_gain_min - a.eta_gain_min,
  );
}
