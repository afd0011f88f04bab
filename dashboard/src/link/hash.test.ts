import { describe, expect, test } from 'vitest';
import { chance } from '../../test-support/fake_network';
import { createHash, EMPTY_LINK, parseCode, parseHash, TABS, type PageLink } from './hash';

describe('the hash', () => {
  test('reads what it wrote', () => {
    const random = chance(7);
    const odd = ['#', '&', '=', '%', '/', '+', 'é', '€', '\u{1f6a6}', '"', '<', ' '];
    for (let i = 0; i < 500; i++) {
      const link: PageLink = {
        map: random() < 0.3 ? null : { zoom: random() * 19, lat: random() * 170 - 85, lng: random() * 360 - 180 },
        road: random() < 0.3 ? null : `ROAD ${odd[i % odd.length] ?? ''}${i}`,
        tab: TABS[i % TABS.length] ?? 'roads',
      };
      const back = parseHash(createHash(link));
      expect(back.road).toBe(link.road);
      expect(back.tab).toBe(link.tab);
      expect(back.map === null).toBe(link.map === null);
      if (!back.map || !link.map) continue;
      expect(Math.abs(back.map.zoom - link.map.zoom)).toBeLessThan(0.01);
      // Less than a pixel off: a screen pixel is 360 / 512 / 2^zoom degrees.
      expect(Math.abs(back.map.lat - link.map.lat)).toBeLessThan(360 / 512 / 2 ** link.map.zoom);
    }
  });

  test('is empty when there is nothing to say', () => {
    expect(createHash(EMPTY_LINK)).toBe('');
    expect(parseHash('')).toEqual(EMPTY_LINK);
  });

  test.each(['#map=1/2', '#map=a/b/c', '#map=12/91/0', '#map=99/0/0', '#map=12//2', '#map=1/2/3/4', '#tab=nonsense', '#%%%', '#road='])(
    'passes over what it cannot use: %s',
    (hash) => {
      expect(parseHash(hash)).toEqual(EMPTY_LINK);
    },
  );

  test('survives a name that is no text', () => {
    expect(parseHash(createHash({ ...EMPTY_LINK, road: 'A\ud83d' })).road).toBe('A\ufffd');
  });

  test('carries a one-time code', () => {
    expect(parseCode('#code=a%2Bb')).toBe('a+b');
    expect(parseCode('#code=')).toBeNull();
    expect(parseCode('#road=A')).toBeNull();
  });
});
