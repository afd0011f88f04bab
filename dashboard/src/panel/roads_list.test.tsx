// @vitest-environment jsdom
import { beforeEach, describe, expect, test } from 'vitest';
import { collection, feature, iso, line, MINUTE, prediction, reading, T0 } from '../../test-support/samples';
import { doing, makeRoom, press, show, type } from '../../test-support/stage';
import type { Room } from '../room/room';
import { RoadsList } from './roads_list';

const HOSTILE = '<img src=x onerror="window.hacked=1">';

let room: Room;
let root: HTMLElement;

beforeEach(() => {
  const many = Array.from({ length: 500 }, (_, i) => feature(`R${i}`, `Rue_${i}`, line([2, 48], [2.1, 48.1])));
  room = makeRoom(collection(feature('BAD', HOSTILE), ...many));
  room.city.receive({
    type: 'snapshot',
    seq: 1,
    data: {
      watermark: iso(T0),
      roads: [
        reading('R7', T0, { congestion_score: 0.91, speed_kmh: 12, speed_estimated: true }),
        reading('R8', T0 - 40 * MINUTE - 7000, { congestion_score: 0.99 }),
        reading('BAD', T0 - 7000, { congestion_score: 0.5, speed_kmh: null }),
      ],
      predictions: [prediction('R7', T0, 30, { congestion_score: 0.6 })],
      reroutes: [], alerts: [],
    },
  });
  root = show(<RoadsList room={room} />);
});

function rows(): HTMLElement[] {
  return [...root.querySelectorAll<HTMLElement>('[data-road]')];
}

function cells(road: string): string[] {
  return [...root.querySelectorAll(`[data-road="${road}"] [role="gridcell"]`)].map((c) => c.textContent.trim());
}

describe('the roads table', () => {
  test('shows the worst first, in words and numbers', () => {
    expect(rows().slice(0, 2).map((r) => r.dataset['road'])).toEqual(['R7', 'BAD']);
    expect(cells('R7')).toEqual(['Rue 7', '0.91', '▲ 0.20', '≈ 12', '400', '0 s']);
  });

  test('a stale road shows its age and no number that looks current', async () => {
    await doing(() => {
      type(root.querySelector('input'), 'R8 rue');
    });
    expect(cells('R8')).toEqual(['Rue 8', '–', '–', '–', '–', '40 min']);
    expect(root.querySelector('[data-road="R8"] .key-stale')).not.toBeNull();
  });

  test('writes hostile names out as text', () => {
    expect(cells('BAD')[0]).toContain(HOSTILE);
    expect(root.querySelector('img')).toBeNull();
  });

  test('says how many roads are not on the map', () => {
    expect(root.textContent).toContain('1 road has no position and is not on the map.');
    expect(root.textContent).toContain('501 roads');
  });

  test('draws only what is visible, and tells how much there is', () => {
    expect(rows().length).toBeLessThan(60);
    expect(root.querySelector('[role="grid"]')?.getAttribute('aria-rowcount')).toBe('502');
  });

  test('searches, and says when nothing matches', async () => {
    await doing(() => {
      type(root.querySelector('input'), 'rue 49');
    });
    expect(root.textContent).toContain('15 of 501 roads');
    await doing(() => {
      type(root.querySelector('input'), 'zzz');
    });
    expect(root.textContent).toContain('No road matches “zzz”.');
  });

  test('is used with the keyboard alone', async () => {
    const reachable = (): HTMLElement[] => rows().filter((r) => r.tabIndex === 0);
    expect(reachable().map((r) => r.dataset['index'])).toEqual(['0']);
    await doing(() => {
      press(reachable()[0] ?? null, 'ArrowDown');
    });
    expect(reachable().map((r) => r.dataset['index'])).toEqual(['1']);
    expect(document.activeElement).toBe(reachable()[0]);
    await doing(() => {
      press(reachable()[0] ?? null, 'Enter');
    });
    expect(room.view.link.get().road).toBe('BAD');
    expect(root.querySelector('[aria-selected="true"]')?.getAttribute('data-road')).toBe('BAD');
  });

  test('sorts by a column, and the other way round at the second click', async () => {
    const head = (): HTMLElement | null => root.querySelector('[role="columnheader"]');
    await doing(() => head()?.querySelector('button')?.click());
    expect(head()?.getAttribute('aria-sort')).toBe('ascending');
    expect(rows()[1]?.dataset['road']).toBe('R0');
    await doing(() => head()?.querySelector('button')?.click());
    expect(rows()[0]?.dataset['road']).toBe('R499');
  });
});

test('an empty city says what to do', () => {
  expect(show(<RoadsList room={makeRoom(collection())} />).textContent).toContain('No roads yet.');
});
