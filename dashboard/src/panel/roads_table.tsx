import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { useCell } from '../room/hooks';
import type { Room } from '../room/room';
import { trend } from '../state/forecasts';
import type { Road } from '../state/network';
import { COLUMNS, freshReading, type Column, type Sort } from '../state/road_order';
import { t } from '../text/text';
import * as format from '../units/format';
import { remPx } from './rem';
import { Swatch } from './swatch';
import { TrendView } from './trend';
import { moveRow, rowWindow, scrollTo } from './windowing';

/** The height of `.grid-row` in the style sheet, in rem. */
const ROW_REM = 2.4;

interface TableProps {
  readonly room: Room;
  readonly rows: readonly Road[];
  readonly sort: Sort;
  readonly onSort: (column: Column) => void;
  /** Told when the focus comes into the table and when it leaves. */
  readonly onHold: (held: boolean) => void;
}

/**
 * A grid of which only the visible rows exist. Arrow keys move the active row,
 * Enter opens it; `aria-rowcount` tells a screen reader about the others.
 */
export function RoadsTable({ room, rows, sort, onSort, onHold }: TableProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const { scrollTop, height } = useScroll(scroller);
  const rowPx = ROW_REM * remPx();
  const [active, setActive] = useState(0);
  const moved = useRef(false);
  const { first, last } = rowWindow(scrollTop, height, rowPx, rows.length);

  useLayoutEffect(() => {
    if (!moved.current) return;
    moved.current = false;
    const row = scroller.current?.querySelector<HTMLElement>(`[data-index="${active}"]`);
    row?.focus({ preventScroll: true });
  });

  const onKeyDown = (event: KeyboardEvent): void => {
    const box = scroller.current;
    const next = moveRow(event.key, active, rows.length, Math.floor(height / rowPx) - 1);
    if (next === null || !box || !(event.target as HTMLElement).dataset['index']) return;
    event.preventDefault();
    box.scrollTop = scrollTo(next, box.scrollTop, height, rowPx);
    moved.current = true;
    setActive(next);
  };

  // The one row that Tab reaches must be one that exists.
  const reachable = active >= first && active < last ? active : first;
  return (
    <div class="grid" role="grid" aria-label={t('roads.table')} aria-rowcount={rows.length + 1}>
      <HeaderRow sort={sort} onSort={onSort} />
      <div
        class="grid-scroll"
        role="rowgroup"
        ref={scroller}
        onKeyDown={onKeyDown}
        onFocusIn={() => {
          onHold(true);
        }}
        onFocusOut={(event) => {
          onHold(event.currentTarget.contains(event.relatedTarget as Node | null));
        }}
      >
        <div class="grid-space" role="none" style={{ height: `${rows.length * rowPx}px` }}>
          {rows.slice(first, last).map((road, i) => (
            <Row
              key={road.id}
              room={room}
              road={road}
              index={first + i}
              top={(first + i) * rowPx}
              reachable={first + i === reachable}
              onActive={setActive}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

function useScroll(box: { current: HTMLElement | null }): { scrollTop: number; height: number } {
  const [state, setState] = useState({ scrollTop: 0, height: 600 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const read = (): void => {
      setState({ scrollTop: element.scrollTop, height: element.clientHeight });
    };
    const observer = new ResizeObserver(read);
    observer.observe(element);
    element.addEventListener('scroll', read, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', read);
    };
  }, [box]);
  return state;
}

function HeaderRow({ sort, onSort }: Pick<TableProps, 'sort' | 'onSort'>) {
  return (
    <div role="rowgroup">
      <div class="grid-row grid-head" role="row" aria-rowindex={1}>
        {COLUMNS.map((column) => {
          const sorted = sort.column === column;
          const direction = sort.descending ? 'descending' : 'ascending';
          return (
            <div key={column} role="columnheader" aria-sort={sorted ? direction : 'none'}>
              <button
                type="button"
                onClick={() => {
                  onSort(column);
                }}
              >
                {t(`roads.col.${column}`)}
                {(column === 'speed' || column === 'flow') && <small>{t(`roads.unit.${column}`)}</small>}
                <span class="sort" aria-hidden="true">
                  {sorted ? (sort.descending ? '▾' : '▴') : ''}
                </span>
              </button>
            </div>
          );
        })}
      </div>
    </div>
  );
}

interface RowProps {
  readonly room: Room;
  readonly road: Road;
  readonly index: number;
  /** Where it begins in the list, in pixels. */
  readonly top: number;
  readonly reachable: boolean;
  readonly onActive: (index: number) => void;
}

function Row({ room, road, index, top, reachable, onActive }: RowProps) {
  const selected = useCell(room.view.link).road === road.id;
  const open = (): void => {
    onActive(index);
    room.view.go({ road: road.id });
  };
  return (
    <div
      class={selected ? 'grid-row grid-row-selected' : 'grid-row'}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected}
      tabIndex={reachable ? 0 : -1}
      data-index={index}
      data-road={road.id}
      style={{ transform: `translateY(${top}px)` }}
      onClick={open}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        open();
      }}
    >
      <Cells room={room} road={road} />
    </div>
  );
}

function Cells({ room, road }: Pick<RowProps, 'room' | 'road'>) {
  const { roads } = room.city;
  const standing = roads.standing(road.id);
  const reading = freshReading(roads, road.id);
  const at = roads.get(road.id)?.at;
  const watermark = roads.watermark.get() ?? at ?? 0;
  const estimated = reading?.speed_estimated === true && reading.speed_kmh !== null;
  const speed = format.whole(reading?.speed_kmh);
  return (
    <>
      <div class="cell-name" role="gridcell">
        <Swatch room={room} standing={standing} />
        <span class="cell-text" title={`${road.name} (${road.id})`}>
          {road.name}
        </span>
        {road.placed === 'nowhere' && <span class="chip chip-plain">{t('roads.notOnMap')}</span>}
      </div>
      <div role="gridcell">{format.score(standing.score)}</div>
      <div role="gridcell">
        <TrendView change={trend(reading, room.city.outlook(road.id))} />
      </div>
      <div role="gridcell">{estimated ? t('value.estimated', { value: speed }) : speed}</div>
      <div role="gridcell">{format.whole(reading?.flow_rate)}</div>
      <div role="gridcell">{at === undefined ? format.ABSENT : format.duration(watermark - at)}</div>
    </>
  );
}
