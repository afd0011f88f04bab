import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { useCell, useChanges } from '../room/hooks';
import type { Room } from '../room/room';
import type { Network, Road } from '../state/network';
import { COLUMNS, orderRoads, WORST_FIRST, type Column, type Sort } from '../state/road_order';
import { t } from '../text/text';
import { RoadsTable } from './roads_table';

/** The order follows the data this often, so that rows can be read, in ms. */
const REORDER_MS = 3_000;

/** The roads as a searchable, sortable table: all that the map shows, in words. */
export function RoadsList({ room }: { room: Room }) {
  const network = useCell(room.city.network);
  if (network.state !== 'ready') return null;
  return <Loaded room={room} network={network.value} />;
}

function Loaded({ room, network }: { room: Room; network: Network }) {
  const [query, setQuery] = useState('');
  const [sort, setSort] = useState<Sort>(WORST_FIRST);
  const [held, setHeld] = useState(false);
  const rows = useOrder(room, network, { query, sort, held });
  // Cells show the newest data even while the order waits.
  useChanges((run) => room.city.roads.subscribe(run), [room]);
  const { total, count } = { total: network.roads.length, count: rows.length };
  return (
    <>
      <div class="roads-tools">
        <input
          id="roads-search"
          type="search"
          aria-label={t('roads.search')}
          placeholder={t('roads.searchHint')}
          value={query}
          onInput={(event) => {
            setQuery(event.currentTarget.value);
          }}
        />
        <span class="roads-count" role="status">
          {count === total ? t('roads.count', { count }) : t('roads.found', { count, total })}
        </span>
      </div>
      {network.nowhere > 0 && <p class="hint">{t('roads.nowhere', { count: network.nowhere })}</p>}
      {total > 0 && count === 0 && <p class="empty">{t('roads.none', { query })}</p>}
      {total === 0 && <p class="empty">{t('map.empty')}</p>}
      {count > 0 && (
        <RoadsTable
          room={room}
          rows={rows}
          sort={sort}
          onSort={(column) => {
            setSort(nextSort(sort, column));
          }}
          onHold={setHeld}
        />
      )}
    </>
  );
}

/** A second click on a column turns its order round; numbers begin with the largest. */
function nextSort(sort: Sort, column: Column): Sort {
  if (sort.column === column) return { column, descending: !sort.descending };
  return { column, descending: column !== 'name' && COLUMNS.includes(column) };
}

interface Order {
  readonly query: string;
  readonly sort: Sort;
  /** While the user is in the table its order stands still. */
  readonly held: boolean;
}

function useOrder(room: Room, network: Network, { query, sort, held }: Order): readonly Road[] {
  const [round, setRound] = useState(0);
  const stale = useRef(false);
  useEffect(() => {
    const unsubscribe = room.city.roads.subscribe(() => {
      stale.current = true;
    });
    const id = setInterval(() => {
      if (held || !stale.current) return;
      stale.current = false;
      setRound((n) => n + 1);
    }, REORDER_MS);
    return () => {
      unsubscribe();
      clearInterval(id);
    };
  }, [room, held]);
  const { city } = room;
  return useMemo(
    () => orderRoads({ network, roads: city.roads, outlook: (id) => city.outlook(id) }, query, sort),
    [city, network, query, sort, round],
  );
}
