import { t } from '../text/text';

/** The product's mark and name. */
export function Logo() {
  return (
    <h1 class="logo">
      <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
        <path class="logo-a" d="M5 24C12 24 11 8 18 8h9" />
        <path class="logo-b" d="M5 17C14 17 13 24 19 24h8" />
      </svg>
      <span>{t('app.name')}</span>
    </h1>
  );
}
