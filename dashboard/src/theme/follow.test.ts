// @vitest-environment jsdom
import { expect, test } from 'vitest';
import { dark } from './dark';
import { followTheme } from './follow';
import { light } from './light';

test('follows the system’s wish and puts every token on the page', () => {
  let wish = false;
  let tell = (): void => undefined;
  window.matchMedia = (() => ({
    get matches() {
      return wish;
    },
    addEventListener: (_: string, run: () => void) => {
      tell = run;
    },
  })) as unknown as typeof window.matchMedia;
  const theme = followTheme(window);
  const root = document.documentElement;
  expect(theme.get()).toBe(light);
  expect(root.style.getPropertyValue('--surface-raised')).toBe(light.tokens.surfaceRaised);

  wish = true;
  tell();
  expect(theme.get()).toBe(dark);
  expect(root.dataset['theme']).toBe('dark');
  for (const [i, colour] of dark.score.entries()) expect(root.style.getPropertyValue(`--score-${i}`)).toBe(colour);
});
