/**
 * Forecasts put in the form that people ask for: what is expected at each horizon,
 * and whether a road gets better or worse.
 */
import type { Prediction, Reading } from '../api/types';

/** The forecast for one road made at one moment, by rising horizon. */
export interface Forecast {
  /** When it was made, in event time, ms since 1970. */
  readonly at: number;
  /** The models that spoke, each once: at each horizon the one that does best there. */
  readonly models: readonly string[];
  readonly scoreVersion: Prediction['score_version'];
  readonly points: readonly Prediction[];
}

/**
 * The forecast in force from a list that is newest first: one row for each horizon.
 * Older rows are other forecasts; of two models at the same moment the surer one counts.
 */
export function latestForecast(predictions: readonly Prediction[]): Forecast | null {
  const first = predictions[0];
  if (!first) return null;
  const byHorizon = new Map<number, Prediction>();
  for (const p of predictions.filter((p) => p.ts === first.ts)) {
    const other = byHorizon.get(p.horizon_min);
    if (!other || p.confidence > other.confidence) byHorizon.set(p.horizon_min, p);
  }
  const points = [...byHorizon.values()].sort((a, b) => a.horizon_min - b.horizon_min);
  return {
    at: Date.parse(first.ts),
    models: [...new Set(points.map((p) => p.model_version))],
    scoreVersion: first.score_version,
    points,
  };
}

/** A reading's score by the formula that a forecast uses, null when it has none. */
export function scoreOf(
  of: Pick<Reading, 'congestion_score' | 'congestion_score_v1'>,
  version: Prediction['score_version'],
): number | null {
  return (version === 'v1' ? of.congestion_score_v1 : of.congestion_score) ?? null;
}

/**
 * How much the score will change from a reading to a forecast, both by the
 * forecast's own formula; null when either is missing.
 */
export function trend(reading: Reading | undefined, prediction: Prediction | undefined): number | null {
  if (!reading || !prediction) return null;
  const now = scoreOf(reading, prediction.score_version);
  return now === null ? null : prediction.congestion_score - now;
}
