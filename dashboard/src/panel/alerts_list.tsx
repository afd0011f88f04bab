import type { Alert } from '../api/types';
import { useCell } from '../room/hooks';
import type { Room } from '../room/room';
import { t } from '../text/text';
import * as format from '../units/format';

const clock = new format.Clock();

/** What goes wrong on the roads now, newest first; choosing one opens its road. */
export function AlertsList({ room }: { room: Room }) {
  const alerts = useCell(room.city.alerts);
  if (alerts === null) return <p class="empty">{t('alerts.loading')}</p>;
  if (alerts.length === 0) return <p class="empty">{t('alerts.none')}</p>;
  return (
    <ul class="advice" aria-label={t('alerts.list')}>
      {alerts.map((alert) => (
        <Card key={alert.id} room={room} alert={alert} />
      ))}
    </ul>
  );
}

function Card({ room, alert }: { room: Room; alert: Alert }) {
  const open = (): void => {
    room.view.go({ road: alert.road_id });
  };
  return (
    <li class="card" data-alert={alert.id}>
      <button type="button" class="card-main" onClick={open}>
        <span class="card-avoid">{format.streetName(alert.road_label) || alert.road_id}</span>
        <span class="card-via">{t(`alerts.severity.${alert.severity}`)}</span>
        <span class="card-reason">{alert.detail}</span>
      </button>
      <p class="card-foot">{t('alerts.since', { time: clock.short(Date.parse(alert.start_ts)) })}</p>
    </li>
  );
}
