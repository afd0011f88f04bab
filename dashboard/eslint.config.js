import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/**
 * What a folder may not import, with what to do instead. Data goes one way:
 * api and live → state → map and room → panel → page.
 */
const NOTHING_ABOVE = ['**/room/*', '**/panel/*', '**/page/*', '**/map/*'];
const layers = {
  'src/{cell,timer,text,theme,link,units}/**': {
    group: ['**/api/*', '**/live/*', '**/state/*', ...NOTHING_ABOVE],
    message: 'The ground floor knows nothing of the city; pass what it needs as an argument.',
  },
  'src/api/**': {
    group: ['**/live/*', '**/state/*', ...NOTHING_ABOVE],
    message: 'api/ only talks to the server; what an answer means belongs to state/.',
  },
  'src/live/**': {
    group: ['**/state/*', ...NOTHING_ABOVE],
    message: 'live/ only brings messages; what they mean belongs to state/.',
  },
  'src/state/**': {
    group: ['**/live/*', ...NOTHING_ABOVE],
    message: 'state/ does not know how it is shown; let a view subscribe to a cell.',
  },
  'src/map/**': {
    group: ['**/room/*', '**/panel/*', '**/page/*'],
    message: 'The map follows state/; put what both need there.',
  },
  'src/room/**': {
    group: ['**/panel/*', '**/page/*', '**/map/*'],
    message: 'room/ holds what views stand on, not views.',
  },
  'src/panel/**': {
    group: ['**/page/*', '**/map/*'],
    message: 'Panels stand beside the map and inside a page; put what they share into state/ or room/.',
  },
};

export default tseslint.config(
  { ignores: ['dist/', 'e2e/artifacts/', 'eslint.config.js', 'src/api/schema.gen.ts'] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // The guard rails of the project, as figures.
      complexity: ['error', 15],
      'max-depth': ['error', 4],
      'max-lines': ['error', { max: 500, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 80, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 5],
      // Numbers in texts go through units/format, which is typed; the rest are plain.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `noPropertyAccessFromIndexSignature` asks for the brackets that this rule forbids.
      '@typescript-eslint/dot-notation': 'off',
      'no-console': ['error', { allow: ['warn'] }],
      'no-restricted-properties': [
        'error',
        { property: 'innerHTML', message: 'Names come from outside: use textContent.' },
        { property: 'outerHTML', message: 'Names come from outside: use textContent.' },
        { property: 'insertAdjacentHTML', message: 'Names come from outside: use textContent.' },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]', message: 'Names come from outside: use text.' },
      ],
    },
  },
  ...Object.entries(layers).map(([files, pattern]) => ({
    files: [files],
    rules: { 'no-restricted-imports': ['error', { patterns: [pattern] }] },
  })),
  {
    files: ['**/*.test.ts', '**/*.test.tsx', 'e2e/**'],
    rules: {
      'max-lines-per-function': 'off',
      // A test states its input as it comes; a wrong one fails the test.
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
);
