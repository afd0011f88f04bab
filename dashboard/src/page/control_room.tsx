import { useEffect } from 'preact/hooks';
import { t } from '../text/text';
import { Header } from './header';
import { useCell } from '../room/hooks';
import { MapView } from './map_view';
import { Notices } from './notices';
import type { Room } from '../room/room';
import { Lists } from '../panel/lists';
import { RoadPanel } from '../panel/road_panel';

/** The whole screen of a signed-in user: bar, map, lists, and the open road. */
export function ControlRoom({ room }: { room: Room }) {
  const { road } = useCell(room.view.link);
  useEffect(() => {
    // Listening all the time, not only while a road is open: effects run after the paint,
    // and a quick Escape must not fall between the two.
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === 'Escape' && !event.defaultPrevented) room.view.go({ road: null });
    };
    window.addEventListener('keydown', onKey);
    return () => {
      window.removeEventListener('keydown', onKey);
    };
  }, [room]);
  return (
    <div class={road === null ? 'room' : 'room room-road'}>
      <a class="skip" href="#roads-search" onClick={focusSearch}>
        {t('app.skip')}
      </a>
      <Header room={room} />
      <Notices room={room} />
      <main class="room-main">
        <MapView room={room} />
        <Lists room={room} />
        {road !== null && <RoadPanel key={road} room={room} road={road} />}
      </main>
    </div>
  );
}

/** Moves the focus without touching the hash, which holds the view. */
function focusSearch(event: Event): void {
  event.preventDefault();
  document.getElementById('roads-search')?.focus();
}
