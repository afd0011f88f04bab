import type { LiveFeed } from '../live/feed';
import type { City } from '../state/city';
import { t } from '../text/text';
import { Clock, duration } from '../units/format';
import { useCell, useNow } from '../room/hooks';
import { Logo } from './logo';
import type { Room } from '../room/room';

/** Data older than this is a recording, not a delay, in ms. */
const RECORDED_MS = 24 * 60 * 60 * 1000;

/** A live line is called silent only when it has been so longer than a heartbeat, in ms. */
const SILENT_MS = 20_000;

const clock = new Clock();

/** The bar that never leaves the screen: which moment is shown, how old it is, and whether it moves. */
export function Header({ room }: { room: Room }) {
  const login = useCell(room.session.login);
  return (
    <header class="bar">
      <Logo />
      <DataTime city={room.city} />
      <FeedState feed={room.feed} />
      <TallyView city={room.city} />
      <div class="bar-account">
        <span class="bar-user">{login.user?.email ?? ''}</span>
        <button type="button" class="quiet" onClick={() => void room.session.signOut()}>
          {t('header.signOut')}
        </button>
      </div>
    </header>
  );
}

function DataTime({ city }: { city: City }) {
  const watermark = useCell(city.roads.watermark);
  const offset = useCell(city.clockOffset);
  const now = useNow(1000) + offset;
  if (watermark === null) {
    return <div class="bar-time">{t('header.noData')}</div>;
  }
  const age = Math.max(0, now - watermark);
  const key = age > RECORDED_MS ? 'header.recorded' : 'header.dataAge';
  return (
    <div class="bar-time">
      <span class="bar-label">{t('header.dataTime')}</span>
      <time dateTime={new Date(watermark).toISOString()}>{clock.full(watermark)}</time>
      <span class={age > RECORDED_MS ? 'chip' : 'chip chip-plain'}>{t(key, { age: duration(age) })}</span>
    </div>
  );
}

function FeedState({ feed }: { feed: LiveFeed }) {
  const status = useCell(feed.status);
  const last = useCell(feed.lastMessageAt);
  const now = useNow(1000);
  return (
    <div class={`feed feed-${status.state}`}>
      <span class="feed-dot" aria-hidden="true" />
      <span>{feedText(status, last, now)}</span>
      {status.state === 'waiting' && (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            feed.retryNow();
          }}
        >
          {t('feed.retry')}
        </button>
      )}
    </div>
  );
}

function feedText(
  { state, retryAt }: ReturnType<LiveFeed['status']['get']>,
  last: number | null,
  now: number,
): string {
  if (state === 'waiting') return t('feed.waiting', { wait: duration(Math.max(0, (retryAt ?? now) - now) + 999) });
  if (state !== 'live') return t(`feed.${state}`);
  const silence = last === null ? 0 : now - last;
  return silence > SILENT_MS ? t('feed.silent', { age: duration(silence) }) : t('feed.live');
}

function TallyView({ city }: { city: City }) {
  const { fresh, stale } = useCell(city.roads.tally);
  const network = useCell(city.network);
  if (network.state !== 'ready') return null;
  const none = Math.max(0, network.value.roads.length - fresh - stale);
  return (
    <div class="bar-tally">
      <span class="bar-label">{t('header.roads')}</span>
      <span>{t('header.tally', { fresh, stale, none })}</span>
    </div>
  );
}
