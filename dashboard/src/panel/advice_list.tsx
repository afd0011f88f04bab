import { useState } from 'preact/hooks';
import type { Reroute } from '../api/types';
import { useCell } from '../room/hooks';
import type { Room } from '../room/room';
import { bestFirst, findAdvice } from '../state/advice';
import { t } from '../text/text';
import * as format from '../units/format';
import { streetsOf } from './streets';

const clock = new format.Clock();

/** Streets named in an advice's first line; the whole path is in its details. */
const NAMED = 2;

/** Pieces of advice shown before somebody asks for all. */
const AT_FIRST = 50;

/** The advice in force; choosing one shows its detour on the map. */
export function AdviceList({ room }: { room: Room }) {
  const advice = useCell(room.city.advice);
  const chosen = useCell(room.view.advice);
  const [all, setAll] = useState(false);
  const shown = findAdvice(advice ?? [], chosen);
  if (advice === null) return <p class="empty">{t('advice.loading')}</p>;
  if (advice.length === 0) return <p class="empty">{t('advice.none')}</p>;
  const sorted = bestFirst(advice);
  return (
    <>
      <p class="hint">{chosen && !shown ? t('advice.gone') : t('advice.legend')}</p>
      <ul class="advice" aria-label={t('advice.list')}>
        {(all ? sorted : sorted.slice(0, AT_FIRST)).map((item) => (
          <Card key={`${item.route_id} ${item.alt_route_id}`} room={room} item={item} shown={item === shown} />
        ))}
        {!all && sorted.length > AT_FIRST && (
          <li>
            <button
              type="button"
              class="quiet"
              onClick={() => {
                setAll(true);
              }}
            >
              {t('advice.all', { count: sorted.length })}
            </button>
          </li>
        )}
      </ul>
    </>
  );
}

interface CardProps {
  readonly room: Room;
  readonly item: Reroute;
  readonly shown: boolean;
}

function Card({ room, item, shown }: CardProps) {
  const toggle = (): void => {
    room.view.advice.set(shown ? null : item);
  };
  return (
    <li class={shown ? 'card card-shown' : 'card'} data-advice={item.id}>
      <button type="button" class="card-main" aria-pressed={shown} title={t(shown ? 'advice.hide' : 'advice.show')} onClick={toggle}>
        <span class="card-avoid">{t('advice.avoid', { road: nameOf(item.route_label, item.route_id) })}</span>
        <span class="card-via">{viaText(item)}</span>
        <span class="card-gains">
          <Gain amount={format.minutes(Math.abs(item.eta_gain_min))} what={t(item.eta_gain_min < 0 ? 'advice.loss' : 'advice.gain')} />
          <Gain
            amount={format.kilograms(Math.abs(item.estimated_co2_gain))}
            what={t(item.estimated_co2_gain < 0 ? 'advice.co2More' : 'advice.co2')}
          />
        </span>
        <span class="card-reason">{item.reason}</span>
      </button>
      <p class="card-foot">{footText(item)}</p>
      {shown && <Path room={room} item={item} />}
    </li>
  );
}

function Gain({ amount, what }: { amount: string; what: string }) {
  return (
    <span class="gain">
      <b>{amount}</b> {what}
    </span>
  );
}

function Path({ room, item }: { room: Room; item: Reroute }) {
  return (
    <ol class="card-path" aria-label={t('advice.path')}>
      {streetsOf(item.path).map((street) => (
        <li key={street.firstRoad}>
          <button
            type="button"
            class="quiet"
            onClick={() => {
              room.view.go({ road: street.firstRoad });
            }}
          >
            {street.name}
          </button>
        </li>
      ))}
    </ol>
  );
}

function nameOf(label: string, id: string): string {
  return format.streetName(label) || id;
}

function viaText(item: Reroute): string {
  const streets = streetsOf(item.path).map((s) => s.name);
  if (streets.length === 0) return t('advice.direct');
  const roads = streets.slice(0, NAMED).join(', ');
  const count = streets.length - NAMED;
  return t('advice.via', { roads: count > 0 ? t('advice.more', { roads, count }) : roads });
}

function footText(item: Reroute): string {
  const parts = [t(`advice.status.${item.status}`), t('advice.at', { time: clock.short(Date.parse(item.ts)) })];
  if (item.share !== null) parts.push(t('advice.share', { share: format.percent(item.share) }));
  return parts.join(' · ');
}
