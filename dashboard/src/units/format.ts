/**
 * Numbers and times as people of a control room write them, always with the unit.
 * An absent quantity is an en dash, never 0.
 */
import { LANGUAGE, t } from '../text/text';

export const ABSENT = '–';

type Quantity = number | null | undefined;

const noDigits = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat(LANGUAGE, {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const twoDigits = new Intl.NumberFormat(LANGUAGE, {
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
});

function quantity(value: Quantity, write: (v: number) => string): string {
  return value === null || value === undefined || !Number.isFinite(value) ? ABSENT : write(value);
}

/** A bare whole number, for columns whose head names the unit. */
export function whole(value: Quantity): string {
  return quantity(value, (v) => noDigits.format(v));
}

/** Speed in km/h. */
export function speed(kmh: Quantity): string {
  return quantity(kmh, (v) => t('unit.kmh', { value: noDigits.format(v) }));
}

/** Flow in vehicles per hour. */
export function flow(vehPerHour: Quantity): string {
  return quantity(vehPerHour, (v) => t('unit.vehPerHour', { value: noDigits.format(v) }));
}

/** Occupancy, given as a share of 0 to 1, in per cent. */
export function occupancy(share: Quantity): string {
  return quantity(share, (v) => t('unit.percent', { value: oneDigit.format(v * 100) }));
}

/** A share of 0 to 1 in whole per cent. */
export function percent(share: Quantity): string {
  return quantity(share, (v) => t('unit.percent', { value: noDigits.format(v * 100) }));
}

/** A congestion score of 0 to 1; it has no unit. */
export function score(value: Quantity): string {
  return quantity(value, (v) => twoDigits.format(v));
}

/** Minutes per vehicle, with one digit. */
export function minutes(value: Quantity): string {
  return quantity(value, (v) => t('unit.min', { value: oneDigit.format(v) }));
}

/** Kilograms, with one digit. */
export function kilograms(value: Quantity): string {
  return quantity(value, (v) => t('unit.kg', { value: oneDigit.format(v) }));
}

/** A length given in metres: metres below one kilometre, else kilometres. */
export function distance(metres: Quantity): string {
  return quantity(metres, (v) =>
    v < 1000
      ? t('unit.m', { value: noDigits.format(v) })
      : t('unit.km', { value: oneDigit.format(v / 1000) }),
  );
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365.25 * DAY;

/** A duration in its largest two sensible units: `40 s`, `12 min`, `3 h 5 min`, `2 d 4 h`. */
export function duration(ms: number): string {
  const d = Math.max(0, ms);
  if (d < MINUTE) return t('unit.s', { value: noDigits.format(Math.floor(d / SECOND)) });
  if (d < HOUR) return t('unit.min', { value: noDigits.format(Math.floor(d / MINUTE)) });
  if (d < DAY) return pair('unit.h', d / HOUR, 'unit.min', (d % HOUR) / MINUTE);
  if (d < YEAR) return pair('unit.d', d / DAY, 'unit.h', (d % DAY) / HOUR);
  return t('unit.years', { value: oneDigit.format(d / YEAR) });
}

type Unit = 'unit.d' | 'unit.h' | 'unit.min';

function pair(big: Unit, bigValue: number, small: Unit, smallValue: number): string {
  const first = t(big, { value: noDigits.format(Math.floor(bigValue)) });
  const rest = Math.floor(smallValue);
  return rest === 0 ? first : `${first} ${t(small, { value: noDigits.format(rest) })}`;
}

/** Formats of moments in one time zone (undefined: the browser's own). */
export class Clock {
  private readonly parts: Readonly<Record<'time' | 'short' | 'full', Intl.DateTimeFormat>>;

  constructor(timeZone?: string) {
    const zone = timeZone === undefined ? {} : { timeZone };
    const make = (o: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
      new Intl.DateTimeFormat(LANGUAGE, { hourCycle: 'h23', ...zone, ...o });
    const time = { hour: '2-digit', minute: '2-digit' } as const;
    this.parts = {
      time: make(time),
      short: make({ day: 'numeric', month: 'short', ...time }),
      full: make({
        weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', ...time, timeZoneName: 'short',
      }),
    };
  }

  /** `14:05` */
  time(ms: number): string {
    return this.parts.time.format(ms);
  }

  /** `3 May, 14:05` */
  short(ms: number): string {
    return this.parts.short.format(ms);
  }

  /** `Tue, 3 May 2022, 14:05 CEST` */
  full(ms: number): string {
    return this.parts.full.format(ms);
  }
}

/** An operator's street name as people read it: underscores and runs of spaces are one space. */
export function streetName(label: string): string {
  return label.replace(/[_\s]+/g, ' ').trim();
}

/** A text reduced to what a search compares: no case, no accents, no underscores. */
export function searchKey(text: string): string {
  return streetName(text)
    .normalize('NFD')
    .replace(/\p{Diacritic}/gu, '')
    .toLowerCase();
}
