/**
 * The chart of one road: measured values as a solid line, the forecast as a dashed
 * one with dots, its interval as a band. A thin class around uPlot with
 * `onAdd`/`onRemove`; it draws what chart_data made.
 */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Theme } from '../theme/theme';
import { Clock } from '../units/format';
import type { ChartData } from './chart_data';
import { remPx } from './rem';

export interface ChartLook {
  readonly theme: Theme;
  /** The title of the value axis, with its unit. */
  readonly axis: string;
  /** The least top of the value axis; a calm road must not look dramatic. */
  readonly top: number;
  readonly labels: { readonly measured: string; readonly forecast: string };
  /** Writes a value as in the text around the chart. */
  readonly write: (value: number) => string;
}

/** Heights and text grow with the page's type, for wall screens. */
const HEIGHT_REM = 13.5;
const FONT_REM = 0.79;

export class RoadChart {
  private plot: uPlot | null = null;
  private look: ChartLook | null = null;
  private container: HTMLElement | null = null;
  private readonly clock = new Clock();
  private readonly readout = document.createElement('p');
  private readonly resize = new ResizeObserver(() => {
    const width = this.container?.clientWidth ?? 0;
    if (width > 0) this.plot?.setSize({ width, height: HEIGHT_REM * remPx() });
  });

  onAdd(container: HTMLElement): void {
    this.container = container;
    this.readout.className = 'chart-readout';
    this.readout.setAttribute('aria-hidden', 'true');
    this.resize.observe(container);
  }

  onRemove(): void {
    this.resize.disconnect();
    this.plot?.destroy();
    this.plot = null;
    this.look = null;
    this.readout.remove();
    this.container = null;
  }

  draw(data: ChartData, look: ChartLook): void {
    if (!this.container) return;
    const columns = [data.times, data.measured, data.forecast, data.lower, data.upper] as uPlot.AlignedData;
    const same = this.look?.theme === look.theme && this.look.axis === look.axis;
    this.look = look;
    if (this.plot && same) {
      this.plot.setData(columns);
      return;
    }
    this.plot?.destroy();
    this.plot = new uPlot(this.options(look), columns, this.container);
    this.container.append(this.readout);
    this.say(null, look);
  }

  private options(look: ChartLook): uPlot.Options {
    const { tokens } = look.theme;
    return {
      width: this.container?.clientWidth ?? 0,
      height: HEIGHT_REM * remPx(),
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { y: { range: (_, __, max) => [0, Math.max(look.top, (max || 0) * 1.05)] } },
      axes: this.axes(look),
      series: [
        {},
        { stroke: tokens.accent, width: 1.8, fill: `${tokens.accent}22`, points: { show: isSparse } },
        {
          stroke: tokens.forecast, width: 1.8, dash: [5, 4],
          points: { show: true, size: 7, width: 1.5, stroke: tokens.forecast, fill: tokens.surface },
        },
        { width: 0, points: { show: false } },
        { width: 0, points: { show: false } },
      ],
      bands: [{ series: [4, 3], fill: `${tokens.forecast}33` }],
      hooks: {
        setCursor: [(u) => {
          this.say(u, look);
        }],
      },
    };
  }

  private axes({ theme, axis }: ChartLook): uPlot.Axis[] {
    const { textMuted, line } = theme.tokens;
    const style = getComputedStyle(this.container ?? document.body);
    const rem = remPx();
    const font = `${FONT_REM * rem}px ${style.fontFamily}`;
    const base = { stroke: textMuted, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 } };
    return [
      { ...base, size: 1.9 * rem, space: 4 * rem, values: (_, times) => times.map((s) => this.clock.time(s * 1000)) },
      { ...base, size: 3.3 * rem, label: axis, labelFont: font, labelSize: 1.2 * rem, labelGap: 2 },
    ];
  }

  /** Reads the value under the pointer out, or the meaning of the lines. */
  private say(u: uPlot | null, look: ChartLook): void {
    const i = u?.cursor.idx;
    const at = i === null || i === undefined ? undefined : u?.data[0][i];
    if (!u || i === null || i === undefined || at === undefined) {
      this.readout.replaceChildren(
        ...legend(look.labels.measured, 'chart-key-measured'),
        ...legend(look.labels.forecast, 'chart-key-forecast'),
      );
      return;
    }
    const measured = u.data[1]?.[i];
    const value = measured ?? u.data[2]?.[i];
    const name = typeof measured === 'number' ? look.labels.measured : look.labels.forecast;
    const text = typeof value === 'number' ? `${name} ${look.write(value)}` : '';
    this.readout.textContent = `${this.clock.short(at * 1000)}  ${text}`;
  }
}

function legend(text: string, className: string): Node[] {
  const key = document.createElement('span');
  key.className = className;
  const label = document.createElement('span');
  label.textContent = text;
  return [key, label];
}

/** Few points are drawn as dots: a line through three of them says too much. */
function isSparse(u: uPlot, series: number): boolean {
  return (u.data[series] ?? []).filter((v) => typeof v === 'number').length < 30;
}
