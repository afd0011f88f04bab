/** The size of a rem in pixels; it differs between a laptop and a wall screen. */
export function remPx(): number {
  const size = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return Number.isFinite(size) ? size : 16;
}
