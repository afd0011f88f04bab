// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { collection, feature, reroute } from '../../test-support/samples';
import { doing, makeRoom, press, show } from '../../test-support/stage';
import { Lists } from './lists';

test('the tabs are one stop of the Tab key, arrows go between them, and the address keeps the choice', async () => {
  const room = makeRoom(collection(feature('A', 'Rue_A')));
  room.city.advice.set([reroute('A'), reroute('B')]);
  const root = show(<Lists room={room} />);
  const tabs = (): HTMLElement[] => [...root.querySelectorAll<HTMLElement>('[role=tab]')];
  expect(tabs().map((tab) => tab.textContent)).toEqual(['Roads', 'Advice (2)', 'Alerts', 'Forecasts']);
  expect(tabs().map((tab) => tab.tabIndex)).toEqual([0, -1, -1, -1]);
  expect(root.querySelector('[role=tabpanel] [role=grid]')).not.toBeNull();

  await doing(() => {
    press(tabs()[0] ?? null, 'ArrowRight');
  });
  expect(tabs().map((tab) => tab.getAttribute('aria-selected'))).toEqual(['false', 'true', 'false', 'false']);
  expect(document.activeElement).toBe(tabs()[1]);
  expect(window.location.hash).toBe('#tab=advice');
  expect(root.querySelectorAll('.card')).toHaveLength(2);

  await doing(() => {
    press(tabs()[0] ?? null, 'ArrowLeft');
    press(tabs()[3] ?? null, 'ArrowRight');
  });
  expect(tabs()[0]?.getAttribute('aria-selected')).toBe('true');
});
