import { useEffect, useRef, useState } from 'preact/hooks';
import type { CityMap } from '../map/city_map';
import { t } from '../text/text';
import { useCell } from '../room/hooks';
import { Legend } from './legend';
import { publishInspection } from './inspection';
import type { Room } from '../room/room';

/** The map with its legend, and what stands in for it when it cannot be drawn or is empty. */
export function MapView({ room }: { room: Room }) {
  const box = useRef<HTMLDivElement>(null);
  const broken = useCityMap(room, box);
  return (
    <section class="map" aria-label={t('map.label')}>
      <div class="map-canvas" ref={box} />
      {broken ? <p class="map-message">{t('map.noWebGL')}</p> : <MapMessage room={room} />}
      {!broken && <Legend />}
    </section>
  );
}

/** Puts a CityMap into the box; true when this browser cannot. */
function useCityMap(room: Room, box: { current: HTMLDivElement | null }): boolean {
  const [broken, setBroken] = useState(false);
  useEffect(() => {
    let map: CityMap | null = null;
    let unpublish = (): void => undefined;
    let gone = false;
    const unfollow = room.theme.subscribe((theme) => map?.setTheme(theme));
    // The map's code is large, and the login page does without it.
    import('../map/city_map').then(
      (code) => {
        const container = box.current;
        if (gone || !container) return;
        map = new code.CityMap({ container, theme: room.theme.get(), city: room.city, view: room.view });
        unpublish = publishInspection(room, map);
      },
    ).catch((error: unknown) => {
      console.warn('map:', error);
      setBroken(true);
    });
    return () => {
      gone = true;
      unfollow();
      unpublish();
      map?.remove();
    };
  }, [room]);
  return broken;
}

function MapMessage({ room }: { room: Room }) {
  const network = useCell(room.city.network);
  if (network.state === 'loading') return <p class="map-message" role="status">{t('map.loading')}</p>;
  if (network.state === 'failed') return null;
  if (network.value.roads.length === 0) return <p class="map-message">{t('map.empty')}</p>;
  if (network.value.bounds === null) return <p class="map-message">{t('map.noPlaces')}</p>;
  return null;
}
