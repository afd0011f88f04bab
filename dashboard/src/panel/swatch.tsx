import { useCell } from '../room/hooks';
import type { Room } from '../room/room';
import type { Standing } from '../state/roads';
import { scoreColour } from '../theme/palette';

/** A road's look on the map, in small; what it says is in the text beside it. */
export function Swatch({ room, standing }: { room: Room; standing: Standing }) {
  const theme = useCell(room.theme);
  const { freshness, score } = standing;
  if (freshness === 'stale') return <span class="key key-stale" aria-hidden="true" />;
  if (score === null) return <span class="key key-none" aria-hidden="true" />;
  const style = {
    backgroundColor: scoreColour(theme, score),
    height: `${(4 + score * 9).toFixed(1)}px`,
  };
  return <span class="key" style={style} aria-hidden="true" />;
}
