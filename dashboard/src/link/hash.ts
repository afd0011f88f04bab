/**
 * The page's state in the URL's hash, so that a link shows what I see:
 * `#map=12.30/48.8566/2.3522&road=PARIS-4264&tab=advice`. A one-time sign-in code
 * also arrives there (`#code=…`), because a hash is never sent to a server's log.
 */

export const TABS = ['roads', 'advice', 'alerts', 'skill'] as const;
export type Tab = (typeof TABS)[number];

/** A map position: zoom level and WGS 84 degrees. */
export interface MapPosition {
  readonly zoom: number;
  readonly lat: number;
  readonly lng: number;
}

export interface PageLink {
  readonly map: MapPosition | null;
  readonly road: string | null;
  readonly tab: Tab;
}

export const EMPTY_LINK: PageLink = { map: null, road: null, tab: 'roads' };

/** Reads a hash; whatever it cannot use is left at the default, never an error. */
export function parseHash(hash: string): PageLink {
  const fields = new URLSearchParams(hash.replace(/^#/, ''));
  const tab = TABS.find((t) => t === fields.get('tab')) ?? EMPTY_LINK.tab;
  return { map: parsePosition(fields.get('map')), road: emptyAsNull(fields.get('road')), tab };
}

/** The one-time sign-in code of a hash, or null. */
export function parseCode(hash: string): string | null {
  return emptyAsNull(new URLSearchParams(hash.replace(/^#/, '')).get('code'));
}

function emptyAsNull(text: string | null): string | null {
  return text === '' ? null : text;
}

/** The hash of a page state; empty when there is nothing to say. */
export function createHash(link: PageLink): string {
  const parts: string[] = [];
  if (link.map) parts.push(`map=${formatPosition(link.map)}`);
  if (link.road) parts.push(new URLSearchParams({ road: link.road }).toString());
  if (link.tab !== EMPTY_LINK.tab) parts.push(`tab=${link.tab}`);
  return parts.length === 0 ? '' : `#${parts.join('&')}`;
}

function formatPosition({ zoom, lat, lng }: MapPosition): string {
  // A pixel at zoom z is about 2^-z degrees wide; more digits would only be noise.
  const digits = Math.max(2, Math.ceil(zoom / 3.3));
  return `${zoom.toFixed(2)}/${lat.toFixed(digits)}/${lng.toFixed(digits)}`;
}

function parsePosition(text: string | null): MapPosition | null {
  const parts = (text ?? '').split('/');
  const [zoom, lat, lng] = parts.map((p) => (p.trim() === '' ? NaN : Number(p)));
  if (parts.length !== 3 || zoom === undefined || lat === undefined || lng === undefined) return null;
  const usable =
    zoom >= 0 && zoom <= 24 && Math.abs(lat) <= 90 && Math.abs(lng) <= 180;
  return usable ? { zoom, lat, lng } : null;
}
