/** A road in a few lines of text, for the tooltip. */
import type { Road } from '../state/network';
import type { RoadState, Standing } from '../state/roads';
import { t } from '../text/text';
import { bandOf } from '../theme/palette';
import * as format from '../units/format';

export function describeRoad(road: Road, state: RoadState | null, standing: Standing): string[] {
  if (!state) return [road.name, t('road.noData')];
  if (standing.freshness === 'stale') {
    return [road.name, t('road.staleSince', { time: new format.Clock().short(state.at) })];
  }
  const lines = [road.name];
  if (standing.score !== null) {
    const band = t(`band.${bandOf(standing.score)}`);
    lines.push(t('road.scoreBand', { score: format.score(standing.score), band }));
  }
  lines.push(measured(state));
  return lines;
}

function measured({ reading }: RoadState): string {
  const parts: string[] = [];
  if (reading.speed_kmh !== null) {
    const speed = format.speed(reading.speed_kmh);
    parts.push(reading.speed_estimated ? t('value.estimated', { value: speed }) : speed);
  }
  if (reading.flow_rate !== null) parts.push(format.flow(reading.flow_rate));
  if (reading.occupancy !== null) {
    parts.push(t('value.occupied', { value: format.occupancy(reading.occupancy) }));
  }
  return parts.join(' · ');
}
