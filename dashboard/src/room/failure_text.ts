/** What a Failure means for the person in front of the page, and what to do. */
import type { Failure } from '../api/failure';
import { t } from '../text/text';
import { duration } from '../units/format';

export function failureText(failure: Failure): string {
  switch (failure.kind) {
    case 'limited':
      return t('failure.limited', { wait: duration(Math.max(1000, failure.retryAfterMs)) });
    case 'server':
      return t('failure.server', { detail: failure.message, request: failure.requestId || '?' });
    case 'request':
      return t('failure.request', { detail: failure.message });
    default:
      return t(`failure.${failure.kind}`);
  }
}
