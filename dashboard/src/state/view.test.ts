// @vitest-environment jsdom
import { afterEach, describe, expect, test } from 'vitest';
import { View } from './view';

afterEach(() => {
  window.history.replaceState(null, '', '/');
});

describe('View', () => {
  test('begins with the hash and writes changes to it', () => {
    window.history.replaceState(null, '', '/#road=A%2F1&tab=advice');
    const view = new View(window);
    expect(view.link.get()).toEqual({ map: null, road: 'A/1', tab: 'advice' });
    view.go({ map: { zoom: 12, lat: 48.85, lng: 2.35 } });
    expect(window.location.hash).toContain('map=12.00/48.85');
    view.go({ road: null, tab: 'roads', map: null });
    expect(window.location.hash).toBe('');
    view.stop();
  });

  test('opening a road is a step of the history, moving the map is not', () => {
    const view = new View(window);
    const before = window.history.length;
    view.go({ map: { zoom: 12, lat: 48, lng: 2 } });
    expect(window.history.length).toBe(before);
    view.go({ road: 'A' });
    expect(window.history.length).toBe(before + 1);
    view.stop();
  });

  test('follows the address until it is stopped', () => {
    const view = new View(window);
    window.history.replaceState(null, '', '#road=B');
    window.dispatchEvent(new HashChangeEvent('hashchange'));
    expect(view.link.get().road).toBe('B');
    view.stop();
    window.history.replaceState(null, '', '#road=C');
    window.dispatchEvent(new HashChangeEvent('hashchange'));
    expect(view.link.get().road).toBe('B');
  });
});
