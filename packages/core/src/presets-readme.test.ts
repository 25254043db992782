import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { defaultConfig, developmentConfig, productionConfig, testConfig } from './presets.js';

const PRESETS = [defaultConfig, developmentConfig, productionConfig, testConfig];

interface Cell {
  readonly option: string;
  readonly column: number;
  readonly value: unknown;
}

function tableOf(readme: string): string[][] {
  const lines = readme.split('\n');
  const head = lines.findIndex((line) => line.startsWith('| option') && line.includes('`defaultConfig`'));
  const end = lines.findIndex((line, index) => index > head && !line.startsWith('|'));
  const rows = lines.slice(head + 2, end);
  return rows.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** `section`: `a`, `b` */
function optionsIn(cell: string): string[] {
  const [, section, rest = cell] = /^`(\w+)`: (.*)$/.exec(cell) ?? [];
  const names = [...rest.replace(/\(.*\)/, '').matchAll(/`([\w.]+)`/g)].map(([, name]) => name);
  return names.map((name) => (section === undefined ? `${name}` : `${section}.${name}`));
}

function valueIn(text: string, option: string): unknown {
  const bare = text.replaceAll('`', '');
  if (option === 'endpoints') return bare === 'must be given' ? [] : [bare];
  if (/^[\d,]+$/.test(bare)) return Number(bare.replaceAll(',', ''));
  return bare === 'true' || bare === 'false' ? bare === 'true' : bare;
}

function cellsOf([first = '', ...columns]: string[]): Cell[] {
  const options = optionsIn(first);
  return columns.flatMap((text, column) => {
    const texts = (text === 'same' ? (columns[0] ?? '') : text).split(', ');
    return options.map((option, index) => {
      return { option, column, value: valueIn(texts[index] ?? texts[0] ?? '', option) };
    });
  });
}

describe('the README', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const cells = tableOf(readme).flatMap(cellsOf);

  it('says of every option what each preset says', () => {
    expect(cells).toHaveLength(21 * PRESETS.length);
    for (const { option, column, value } of cells) {
      const read = (from: unknown, name: string): unknown => Reflect.get(Object(from), name);
      expect(option.split('.').reduce<unknown>(read, PRESETS[column]?.()), option).toEqual(value);
    }
  });
});
