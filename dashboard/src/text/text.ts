/**
 * Every word the page shows comes from here. One JSON file per language; a second
 * language is a second file with the same keys and a line in `LANGUAGES`.
 */
import en from './en.json';

type Key = Extract<keyof typeof en, string>;

export type TextKey = Exclude<Key, `${string}_one`>;

type Values = Readonly<Record<string, string | number>>;

/** The language in use, also for number and date formats. */
export const LANGUAGE = 'en-GB';

const words: Readonly<Record<string, string>> = en;
const plural = new Intl.PluralRules(LANGUAGE);
const number = new Intl.NumberFormat(LANGUAGE);

/**
 * The text of `key` with `{name}` replaced by `values.name`. With a number called
 * `count`, the singular form `key_one` is used where the language asks for it.
 */
export function t(key: TextKey, values: Values = {}): string {
  const count = values['count'];
  const form = typeof count === 'number' ? words[`${key}_${plural.select(count)}`] : undefined;
  const pattern = form ?? words[key] ?? key;
  return pattern.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    return typeof value === 'number' ? number.format(value) : (value ?? '');
  });
}
