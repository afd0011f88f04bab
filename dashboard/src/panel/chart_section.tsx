import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Readable } from '../cell/cell';
import { failureText } from '../room/failure_text';
import { useCell } from '../room/hooks';
import type { RoadDetail } from '../state/road_detail';
import { t } from '../text/text';
import type { Theme } from '../theme/theme';
import * as format from '../units/format';
import { chartData, extent, newestPart, QUANTITIES, type ChartData, type Quantity } from './chart_data';
import { RoadChart, type ChartLook } from './road_chart';

const clock = new format.Clock();

/** Hours of history on the screen: the day, or close enough to read the forecast. */
const SPANS = [24, 3] as const;
type Span = (typeof SPANS)[number];

interface SectionProps {
  readonly theme: Readable<Theme>;
  readonly detail: RoadDetail;
  /** The road's newest reading, in ms since 1970; null when it has none. */
  readonly newest: number | null;
}

/** The history of one quantity with what is expected next. */
export function ChartSection({ theme, detail, newest }: SectionProps) {
  const [quantity, setQuantity] = useState<Quantity>('score');
  const [span, setSpan] = useState<Span>(24);
  const { history } = detail;
  return (
    <section class="chart" aria-labelledby="chart-title">
      <div class="section-head">
        <h3 id="chart-title">{t('chart.title')}</h3>
        <Choice label={t('chart.span')} of={SPANS} chosen={span} name={(s) => t(`chart.span.${s}`)} onChoose={setSpan} />
        <Choice
          label={t('chart.quantity')}
          of={QUANTITIES}
          chosen={quantity}
          name={(q) => t(`chart.${q}`)}
          onChoose={setQuantity}
        />
      </div>
      {history.state === 'loading' && <p class="empty">{t('chart.loading')}</p>}
      {history.state === 'failed' && <p class="empty">{failureText(history.failure)}</p>}
      {history.state === 'ready' && (
        <Chart theme={theme} detail={detail} quantity={quantity} span={span} newest={newest} />
      )}
    </section>
  );
}

interface ChoiceProps<T> {
  readonly label: string;
  readonly of: readonly T[];
  readonly chosen: T;
  readonly name: (value: T) => string;
  readonly onChoose: (value: T) => void;
}

/** A row of buttons of which one is pressed. */
function Choice<T extends string | number>({ label, of, chosen, name, onChoose }: ChoiceProps<T>) {
  return (
    <div class="segments" role="group" aria-label={label}>
      {of.map((value) => (
        <button
          key={value}
          type="button"
          aria-pressed={value === chosen}
          onClick={() => {
            onChoose(value);
          }}
        >
          {name(value)}
        </button>
      ))}
    </div>
  );
}

function Chart({ theme, detail, quantity, span, newest }: SectionProps & { quantity: Quantity; span: Span }) {
  const colours = useCell(theme);
  const history = detail.history.state === 'ready' ? detail.history.value : [];
  const forecast = detail.forecast.state === 'ready' ? detail.forecast.value : null;
  const data = useMemo(
    () => newestPart(chartData(history, forecast, quantity), span * 3600),
    [history, forecast, quantity, span],
  );
  const range = extent(data.measured);
  if (history.length === 0) {
    return <p class="empty">{newest === null ? t('chart.nothing') : t('chart.empty', { time: clock.short(newest) })}</p>;
  }
  if (!range) return <p class="empty">{t('chart.unmeasured', { quantity: t(`chart.${quantity}`) })}</p>;
  const look = lookOf(colours, quantity, forecast?.scoreVersion ?? 'v1');
  return (
    <>
      <Plot data={data} look={look} summary={summaryOf(data, look, quantity)} />
      {quantity === 'score' && look.axis === t('chart.axis.v1') && <p class="hint">{t('chart.scoreNote')}</p>}
    </>
  );
}

function Plot({ data, look, summary }: { data: ChartData; look: ChartLook; summary: string }) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<RoadChart | null>(null);
  useEffect(() => {
    const plot = new RoadChart();
    chart.current = plot;
    if (box.current) plot.onAdd(box.current);
    return () => {
      plot.onRemove();
    };
  }, []);
  useEffect(() => {
    chart.current?.draw(data, look);
  }, [data, look.theme, look.axis]);
  return <div class="chart-box" ref={box} role="img" aria-label={summary} />;
}

function lookOf(theme: Theme, quantity: Quantity, version: 'v1' | 'v2'): ChartLook {
  const write: Record<Quantity, (v: number) => string> = {
    score: format.score,
    speed: format.speed,
    flow: format.flow,
    occupancy: (v) => format.occupancy(v / 100),
  };
  const top: Record<Quantity, number> = { score: 1, speed: 50, flow: 100, occupancy: 20 };
  return {
    theme,
    axis: quantity === 'score' ? t(`chart.axis.${version}`) : t(`chart.axis.${quantity}`),
    top: top[quantity],
    labels: { measured: t('chart.measured'), forecast: t('chart.forecast') },
    write: write[quantity],
  };
}

/** The chart in one sentence, for those who cannot see it. */
function summaryOf(data: ChartData, look: ChartLook, quantity: Quantity): string {
  const range = extent(data.measured);
  const last = (data.times[data.measured.findLastIndex((v) => typeof v === 'number')] ?? 0) * 1000;
  return t('chart.summary', {
    quantity: t(`chart.${quantity}`),
    from: clock.short((data.times[0] ?? 0) * 1000),
    to: clock.short(last),
    low: look.write(range?.low ?? 0),
    high: look.write(range?.high ?? 0),
    last: look.write(range?.last ?? 0),
  });
}
