import js from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'
import { importLayers, layers } from './test/lint/import-layers.js'

const filesOf = (layer) => `${layer.folder}/**/*.ts`
const pureFiles = layers.filter((layer) => layer.pure).map(filesOf)
/** Folders within pure ones that are not. */
const unpureFiles = layers
  .filter(
    (layer) =>
      !layer.pure && layers.some((outer) => outer.pure && layer.folder.startsWith(`${outer.folder}/`)),
  )
  .map(filesOf)

export default defineConfig(
  globalIgnores(['**/node_modules', 'dist', '.tap']),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      eqeqeq: 'error',
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Exports are named.' },
        { selector: 'TSEnumDeclaration', message: 'Use a const object with a type of the same name.' },
      ],
    },
  },
  {
    files: ['**/*.{ts,js,mjs}'],
    plugins: { drover: { rules: { 'import-layers': importLayers } } },
    rules: { 'drover/import-layers': 'error' },
  },
  {
    files: pureFiles,
    ignores: unpureFiles,
    rules: {
      'no-restricted-globals': [
        'error',
        ...[
          'process',
          'Buffer',
          'console',
          'fetch',
          'performance',
          'setTimeout',
          'setInterval',
          'setImmediate',
          'queueMicrotask',
        ].map((name) => ({ name, message: 'A pure folder knows no world: take it as an argument.' })),
      ],
      'no-restricted-properties': [
        'error',
        {
          object: 'Date',
          property: 'now',
          message: 'A pure folder reads no clock: take the time as an argument.',
        },
        {
          object: 'Math',
          property: 'random',
          message: 'A pure folder is repeatable: take randomness as an argument.',
        },
      ],
    },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } },
  },
  {
    files: ['**/test/**/*.ts', 'test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafePromises: [
            { from: 'package', package: '@tapjs/core', name: 'PromiseWithSubtest' },
          ],
        },
      ],
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
)
