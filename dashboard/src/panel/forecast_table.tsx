import type { Prediction } from '../api/types';
import { failureText } from '../room/failure_text';
import type { Forecast } from '../state/forecasts';
import type { RoadDetail } from '../state/road_detail';
import { t } from '../text/text';
import * as format from '../units/format';

const clock = new format.Clock();

/** A forecast that lags behind the data by more than this says so, in ms. */
const OLD_MS = 15 * 60 * 1000;

interface TableProps {
  readonly detail: RoadDetail;
  /** The newest event time of the city, in ms since 1970. */
  readonly watermark: number | null;
}

/** The forecast in numbers: each horizon with its confidence, and which model spoke. */
export function ForecastTable({ detail, watermark }: TableProps) {
  const { forecast } = detail;
  return (
    <section class="forecast" aria-labelledby="forecast-title">
      <h3 id="forecast-title">{t('forecast.title')}</h3>
      {forecast.state === 'loading' && <p class="empty">{t('chart.loading')}</p>}
      {forecast.state === 'failed' && <p class="empty">{failureText(forecast.failure)}</p>}
      {forecast.state === 'ready' && forecast.value === null && <p class="empty">{t('forecast.none')}</p>}
      {forecast.state === 'ready' && forecast.value !== null && (
        <Ready forecast={forecast.value} watermark={watermark} />
      )}
    </section>
  );
}

function Ready({ forecast, watermark }: { forecast: Forecast; watermark: number | null }) {
  const lag = (watermark ?? forecast.at) - forecast.at;
  const hasSpeed = forecast.points.some((p) => p.speed_kmh !== null);
  const version = forecast.scoreVersion.slice(1);
  return (
    <>
      <table>
        <thead>
          <tr>
            <th scope="col">{t('forecast.horizon')}</th>
            <th scope="col">{t('forecast.at')}</th>
            <th scope="col">{t('forecast.score', { version })}</th>
            {hasSpeed && <th scope="col">{t('forecast.speed')}</th>}
            <th scope="col">{t('forecast.confidence')}</th>
          </tr>
        </thead>
        <tbody>
          {forecast.points.map((point) => (
            <PointRow key={point.horizon_min} point={point} hasSpeed={hasSpeed} />
          ))}
        </tbody>
      </table>
      <p class="hint">{t('forecast.made', { model: forecast.models.join(', '), time: clock.short(forecast.at) })}</p>
      {lag > OLD_MS && <p class="hint hint-warn">{t('forecast.old', { age: format.duration(lag) })}</p>}
    </>
  );
}

function PointRow({ point, hasSpeed }: { point: Prediction; hasSpeed: boolean }) {
  return (
    <tr>
      <th scope="row">{t('unit.min', { value: point.horizon_min })}</th>
      <td>{clock.time(Date.parse(point.target_ts))}</td>
      <td>
        {format.score(point.congestion_score)}
        {point.lower !== null && point.upper !== null && (
          <small> {t('forecast.interval', { low: format.score(point.lower), high: format.score(point.upper) })}</small>
        )}
      </td>
      {hasSpeed && <td>{format.speed(point.speed_kmh)}</td>}
      <td>
        <span class="bar-share" aria-hidden="true">
          <span style={{ width: `${(point.confidence * 100).toFixed(0)}%` }} />
        </span>
        {format.percent(point.confidence)}
      </td>
    </tr>
  );
}
