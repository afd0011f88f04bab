import { useLayoutEffect, useRef } from 'preact/hooks';
import { middle } from '../state/geometry';
import { useCell, useChanges } from '../room/hooks';
import type { Room } from '../room/room';
import type { Road } from '../state/network';
import type { RoadState } from '../state/roads';
import { t } from '../text/text';
import { bandOf } from '../theme/palette';
import * as format from '../units/format';
import { ChartSection } from './chart_section';
import { ForecastTable } from './forecast_table';
import { Swatch } from './swatch';

const clock = new format.Clock();

/** Zoom level at which one road and its surroundings fill the map. */
const ROAD_ZOOM = 15.5;

/** Everything about one road: now, the last 24 hours, the next hour. */
export function RoadPanel({ room, road: id }: { room: Room; road: string }) {
  const network = useCell(room.city.network);
  const heading = useRef<HTMLHeadingElement>(null);
  useFocusReturn(heading, id);
  useChanges((run) => room.city.roads.subscribe((ids) => {
    if (ids.has(id)) run();
  }), [room, id]);
  const road = network.state === 'ready' ? network.value.byId.get(id) : undefined;
  return (
    <section class="road" aria-labelledby="road-title">
      <div class="road-head">
        <h2 id="road-title" ref={heading} tabIndex={-1}>
          {road?.name ?? id}
        </h2>
        <button
          type="button"
          class="close"
          aria-label={t('road.close')}
          title={t('road.close')}
          onClick={() => {
            room.view.go({ road: null });
          }}
        >
          ×
        </button>
      </div>
      {road && <Known room={room} road={road} />}
      {network.state === 'ready' && !road && <p class="empty">{t('road.unknown', { id })}</p>}
    </section>
  );
}

/** Moves the focus from the list into the panel, and back to the road's row at the end. */
function useFocusReturn(heading: { current: HTMLElement | null }, id: string): void {
  // Before the next frame: in a narrow window the list is hidden then, and the focus lost.
  useLayoutEffect(() => {
    // A click on the map leaves the focus there.
    if (!document.activeElement?.closest('.grid')) return undefined;
    heading.current?.focus({ preventScroll: true });
    return () => {
      // The list becomes visible with the next frame, and may have been sorted anew.
      requestAnimationFrame(() => {
        if (document.querySelector('.road')) return;
        const row = document.querySelector<HTMLElement>(`.grid [data-road="${CSS.escape(id)}"]`);
        (row ?? document.querySelector<HTMLElement>('.grid [data-index][tabindex="0"]'))?.focus();
      });
    };
  }, [heading, id]);
}

function Known({ room, road }: { room: Room; road: Road }) {
  const detail = useCell(room.watch.detail);
  const watermark = useCell(room.city.roads.watermark);
  const state = room.city.roads.get(road.id);
  return (
    <>
      <Facts room={room} road={road} />
      {state ? <Now room={room} road={road} state={state} /> : <p class="empty">{t('road.noData')}</p>}
      {detail?.road === road.id && (
        <>
          <ChartSection theme={room.theme} detail={detail} newest={state?.at ?? null} />
          <ForecastTable detail={detail} watermark={watermark} />
        </>
      )}
    </>
  );
}

function Facts({ room, road }: { room: Room; road: Road }) {
  const { length_m: length, class: roadClass } = road.properties;
  const facts = [t('road.id', { id: road.id }), t(`class.${roadClass}`)];
  if (length !== null) facts.push(format.distance(length));
  return (
    <p class="road-facts">
      <span>{facts.join(' · ')}</span>
      {road.placed === 'nowhere' ? (
        <span>{t('road.noPosition')}</span>
      ) : (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            showOnMap(room, road.id);
          }}
        >
          {t('road.zoom')}
        </button>
      )}
    </p>
  );
}

function showOnMap(room: Room, id: string): void {
  const network = room.city.network.get();
  if (network.state !== 'ready') return;
  const feature = network.value.geojson.features.find((f) => f.properties.road_id === id);
  const point = feature?.geometry ? middle(feature.geometry) : null;
  if (point) room.view.go({ map: { lng: point[0], lat: point[1], zoom: ROAD_ZOOM } });
}

function Now({ room, road, state }: { room: Room; road: Road; state: RoadState }) {
  const { reading } = state;
  const { free_flow_kmh: freeFlow, capacity_vph: capacity } = road.properties;
  const speed = format.speed(reading.speed_kmh);
  const estimated = reading.speed_estimated && reading.speed_kmh !== null;
  return (
    <>
      <Score room={room} road={road} state={state} />
      <dl class="road-now">
        <Quantity name={t('road.speed')} note={freeFlow === null ? null : t('road.freeFlow', { value: format.speed(freeFlow) })}>
          {estimated ? <abbr title={t('road.estimatedHint')}>{t('value.estimated', { value: speed })}</abbr> : speed}
        </Quantity>
        <Quantity name={t('road.flow')} note={capacity === null ? null : t('road.capacity', { value: format.flow(capacity) })}>
          {format.flow(reading.flow_rate)}
        </Quantity>
        <Quantity name={t('road.occupancy')} note={null}>
          {format.occupancy(reading.occupancy)}
        </Quantity>
      </dl>
      {estimated && <p class="hint">{t('road.estimatedNote')}</p>}
    </>
  );
}

function Quantity({ name, note, children }: { name: string; note: string | null; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
      {note !== null && <dd class="road-note">{note}</dd>}
    </div>
  );
}

function Score({ room, road, state }: { room: Room; road: Road; state: RoadState }) {
  const standing = room.city.roads.standing(road.id);
  const stale = standing.freshness === 'stale';
  return (
    <div class={stale ? 'road-score road-score-stale' : 'road-score'}>
      <Swatch room={room} standing={standing} />
      <strong>{stale ? t('road.stale') : format.score(standing.score)}</strong>
      <span>
        {standing.score !== null && <b>{t(`band.${bandOf(standing.score)}`)}</b>}
        <span class="road-age">{ageText(state, room.city.roads.watermark.get())}</span>
        <span class="road-age">{originText(state)}</span>
      </span>
    </div>
  );
}

function ageText({ at }: RoadState, watermark: number | null): string {
  const time = clock.short(at);
  const age = (watermark ?? at) - at;
  return age < 60_000
    ? t('road.measuredNow', { time })
    : t('road.measuredAt', { time, age: format.duration(age) });
}

function originText({ reading }: RoadState): string {
  const remarks = reading.quality.map((q) => t(`road.quality.${q}`));
  return [t('road.sensor', { id: reading.sensor_id }), ...remarks].join(' · ');
}
