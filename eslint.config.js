import tseslint from 'typescript-eslint';

/**
 * The one direction of dependencies: a layer imports layers to its right only.
 * `cli → mount → tree → container → discovery → {cgroup, proc, journal, checkpoint, oci} → kernel → errno, ids, log, …`
 */
const LAYERS = [
  ['src/cli'],
  ['mount'],
  ['src/tree'],
  ['src/container'],
  ['src/discovery'],
  ['src/cgroup', 'src/proc', 'src/journal', 'src/checkpoint', 'src/oci'],
  ['src/kernel'],
  ['src'],
];

/** Import patterns, relative as written in this code base, that reach a folder of a layer. */
const reaching = (folder) =>
  folder === 'mount'
    ? ['**/mount/**']
    : [`**/${folder.replace('src/', '')}/*.ts`, `**/${folder.replace('src/', '')}/**/*.ts`];

const direction = LAYERS.flatMap((layer, index) =>
  layer.map((folder) => {
    const forbidden = LAYERS.slice(0, index).flat();
    const siblings = layer.filter((other) => other !== folder);
    const files = folder === 'src' ? ['src/*.ts'] : [`${folder}/**/*.ts`];
    return {
      files,
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              {
                group: [...forbidden, ...siblings].flatMap(reaching),
                message: `${folder} must not import a layer above or beside it (docs/architecture.md).`,
              },
            ].filter(({ group }) => group.length > 0),
          },
        ],
      },
    };
  }),
);

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**'] },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'kill', message: 'A pid may be another process’s by now: signal a pinned one.' },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
        { selector: 'TSEnumDeclaration', message: 'Use a const table.' },
      ],
    },
  },
  {
    files: ['vitest.config.ts', 'test/**/*.ts'],
    rules: { 'no-restricted-syntax': 'off', '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  ...direction,
);
