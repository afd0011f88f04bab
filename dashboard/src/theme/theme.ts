/**
 * What a theme is: every colour the page and the map use, as one typed object.
 * Code never holds a colour of its own; a new theme is a new object of this type.
 */

/** A CSS colour in the form `#rrggbb`. */
export type Hex = `#${string}`;

export interface Theme {
  readonly name: 'light' | 'dark';
  /** Surfaces, text and accents; each becomes the custom property `--<kebab-name>`. */
  readonly tokens: {
    readonly page: Hex;
    readonly surface: Hex;
    readonly surfaceRaised: Hex;
    readonly surfaceSunken: Hex;
    readonly line: Hex;
    readonly lineStrong: Hex;
    readonly text: Hex;
    readonly textMuted: Hex;
    readonly accent: Hex;
    readonly accentText: Hex;
    readonly focus: Hex;
    readonly good: Hex;
    readonly warn: Hex;
    readonly bad: Hex;
    readonly forecast: Hex;
  };
  /** The map's own colours; roads with a score take theirs from `score`. */
  readonly map: {
    readonly land: Hex;
    readonly roadNone: Hex;
    readonly roadStale: Hex;
    readonly roadCasing: Hex;
    readonly selected: Hex;
    readonly avoid: Hex;
    readonly detour: Hex;
    readonly label: Hex;
    readonly labelHalo: Hex;
  };
  /**
   * The congestion scale in the middle of each band. Its lightness runs one way
   * from free flow to standstill, so that it reads without hue.
   */
  readonly score: readonly [Hex, Hex, Hex, Hex];
}

/** Writes the theme's tokens to an element as CSS custom properties. */
export function applyTheme(theme: Theme, root: HTMLElement): void {
  root.dataset['theme'] = theme.name;
  root.style.colorScheme = theme.name;
  for (const [name, value] of Object.entries(theme.tokens)) {
    root.style.setProperty(`--${kebab(name)}`, value);
  }
  theme.score.forEach((colour, i) => {
    root.style.setProperty(`--score-${i}`, colour);
  });
  root.style.setProperty('--road-none', theme.map.roadNone);
  root.style.setProperty('--road-stale', theme.map.roadStale);
  root.style.setProperty('--avoid', theme.map.avoid);
  root.style.setProperty('--detour', theme.map.detour);
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
}
