import { t } from '../text/text';
import { Clock } from '../units/format';
import { failureText } from '../room/failure_text';
import { useCell } from '../room/hooks';
import type { Room } from '../room/room';

const clock = new Clock();

/** Failed tries in a row before the loss is worth a banner; the header shows the first. */
const WORTH_A_BANNER = 2;

/** What is wrong right now, in sentences, with what to do. Nothing when nothing is. */
export function Notices({ room }: { room: Room }) {
  const network = useCell(room.city.network);
  const status = useCell(room.feed.status);
  const degraded = useCell(room.city.degraded);
  const lost = status.state !== 'live' && status.failures >= WORTH_A_BANNER;
  return (
    <div class="notices" role="alert">
      {network.state === 'failed' && (
        <p class="notice notice-bad">
          {failureText(network.failure)}{' '}
          <button type="button" class="quiet" onClick={() => void room.city.load()}>
            {t('failure.retry')}
          </button>
        </p>
      )}
      {lost && network.state !== 'failed' && <LostNotice room={room} />}
      {degraded && !lost && <p class="notice">{t('feed.degraded')}</p>}
    </div>
  );
}

function LostNotice({ room }: { room: Room }) {
  const watermark = useCell(room.city.roads.watermark);
  const text = watermark === null ? t('feed.lostNever') : t('feed.lost', { time: clock.full(watermark) });
  return <p class="notice notice-bad">{text}</p>;
}
