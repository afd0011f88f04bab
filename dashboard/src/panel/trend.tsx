import { t } from '../text/text';
import * as format from '../units/format';

/** A change smaller than this is noise, in score. */
const STEADY = 0.02;

/** Whether a score will rise or fall, as a sign for the eye and a word for the ear. */
export function TrendView({ change }: { change: number | null }) {
  if (change === null) return <span>{format.ABSENT}</span>;
  const value = format.score(Math.abs(change));
  if (Math.abs(change) < STEADY) {
    return <span class="trend" role="img" aria-label={t('trend.flat')}>=</span>;
  }
  const up = change > 0;
  return (
    <span class={up ? 'trend trend-up' : 'trend'} role="img" aria-label={t(up ? 'trend.up' : 'trend.down', { value })}>
      {up ? '▲' : '▽'} {value}
    </span>
  );
}
