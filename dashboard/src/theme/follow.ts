import { Cell } from '../cell/cell';
import { dark } from './dark';
import { light } from './light';
import { applyTheme, type Theme } from './theme';

/** The theme that the user's system asks for, applied to the page and kept up to date. */
export function followTheme(win: Window): Cell<Theme> {
  const query = win.matchMedia('(prefers-color-scheme: dark)');
  const current = (): Theme => (query.matches ? dark : light);
  const theme = new Cell(current());
  applyTheme(theme.get(), win.document.documentElement);
  theme.subscribe((next) => {
    applyTheme(next, win.document.documentElement);
  });
  query.addEventListener('change', () => {
    theme.set(current());
  });
  return theme;
}
