import { t } from '../text/text';
import { BANDS } from '../theme/palette';

/** What the map's colours, widths and dashes mean. */
export function Legend() {
  return (
    <section class="legend" aria-label={t('legend.title')}>
      <h2>
        {t('legend.title')} <small>{t('legend.hint')}</small>
      </h2>
      <div class="legend-scale" aria-hidden="true" />
      <ol class="legend-bands">
        {BANDS.map((band) => (
          <li key={band}>{t(`band.${band}`)}</li>
        ))}
      </ol>
      <div class="legend-ticks" aria-hidden="true">
        {[0, 0.25, 0.5, 0.75, 1].map((tick) => (
          <span key={tick}>{tick}</span>
        ))}
      </div>
      <ul class="legend-rest">
        <li>
          <span class="key key-stale" aria-hidden="true" />
          {t('legend.stale')}
        </li>
        <li>
          <span class="key key-none" aria-hidden="true" />
          {t('legend.none')}
        </li>
      </ul>
    </section>
  );
}
