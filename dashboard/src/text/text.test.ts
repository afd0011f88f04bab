import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import en from './en.json';
import { t } from './text';

const SOURCE = join(import.meta.dirname, '..');

function sources(): string {
  return readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !name.includes('.test.') && !name.includes('.gen.'))
    .map((name) => readFileSync(join(SOURCE, name), 'utf8'))
    .join('\n');
}

describe('t', () => {
  test('puts values in and writes numbers as the language does', () => {
    expect(t('roads.found', { count: 3, total: 12345 })).toBe('3 of 12,345 roads');
    expect(t('roads.none', { query: '<b>{x}' })).toBe('No road matches “<b>{x}”.');
  });

  test('knows the singular', () => {
    expect(t('roads.count', { count: 1 })).toBe('1 road');
    expect(t('roads.count', { count: 0 })).toBe('0 roads');
  });
});

describe('en.json', () => {
  test('has no text that nothing shows', () => {
    const code = sources();
    // A key is used as it stands, or by its beginning in a template such as t(`band.${b}`).
    const unused = Object.keys(en).filter((key) => {
      const base = key.replace(/_one$/, '');
      const prefix = base.slice(0, base.lastIndexOf('.') + 1);
      return !code.includes(`'${base}'`) && !code.includes('`' + prefix + '${');
    });
    expect(unused).toEqual([]);
  });

  test('closes every brace, and singular and plural take the same values', () => {
    const holes = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1] ?? '').sort();
    for (const [key, text] of Object.entries(en)) {
      expect(text.replace(/\{\w+\}/g, ''), key).not.toMatch(/[{}]/);
      const plural = (en as Record<string, string>)[key.replace(/_one$/, '')];
      if (plural !== text && plural !== undefined) expect(holes(plural)).toEqual(expect.arrayContaining(holes(text)));
    }
  });
});
