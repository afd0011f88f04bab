/**
 * What the user looks at: map position, selected road, tab. It mirrors the URL's
 * hash both ways, so that the back button and a pasted link work.
 */
import { Cell } from '../cell/cell';
import { createHash, parseHash, type PageLink } from '../link/hash';
import type { AdviceKey } from './advice';

/** What the view needs of a window. */
export type HashWindow = Pick<Window, 'addEventListener' | 'removeEventListener'> & {
  readonly location: Pick<Location, 'hash' | 'pathname' | 'search'>;
  readonly history: Pick<History, 'replaceState' | 'pushState'>;
};

export class View {
  readonly link: Cell<PageLink>;
  /** The advice whose detour is shown on the map; not part of a link, it expires. */
  readonly advice = new Cell<AdviceKey | null>(null);

  private readonly onHashChange = (): void => {
    this.link.set(parseHash(this.win.location.hash));
  };

  constructor(private readonly win: HashWindow) {
    this.link = new Cell(parseHash(win.location.hash));
    win.addEventListener('hashchange', this.onHashChange);
  }

  /** Changes part of the view; a newly selected road becomes a step of the history. */
  go(change: Partial<PageLink>): void {
    const before = this.link.get();
    const next = { ...before, ...change };
    const hash = createHash(next);
    if (hash === createHash(before)) return;
    const url = hash || this.win.location.pathname + this.win.location.search;
    if (next.road !== before.road) this.win.history.pushState(null, '', url);
    else this.win.history.replaceState(null, '', url);
    this.link.set(next);
  }

  stop(): void {
    this.win.removeEventListener('hashchange', this.onHashChange);
  }
}
