import tseslint from 'typescript-eslint';

/** Which folders a folder may not import: the arrows of ARCHITECTURE.md. */
const fence = (files, forbidden) => ({
  files,
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: forbidden.map((folder) => ({
          group: [`**/${folder}/**`],
          message: `see the arrows in ARCHITECTURE.md: this folder does not import ${folder}/`,
        })),
      },
    ],
  },
});

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'coverage/'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { ignoreRestSiblings: true, argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  fence(['src/model/**'], ['plan', 'ipam', 'firewall', 'kernel', 'store', 'engine', 'config', 'cli', 'drivers']),
  fence(['src/dhcp/**'], ['plan', 'ipam', 'firewall', 'kernel', 'store', 'engine', 'config', 'cli', 'drivers']),
  fence(['src/plan/**', 'src/ipam/**', 'src/firewall/**'], ['kernel', 'store', 'engine', 'config', 'cli', 'drivers']),
  fence(['src/kernel/**', 'src/store/**'], ['engine', 'ipam', 'config', 'cli', 'drivers']),
  fence(['src/runtimes/**'], ['firewall', 'kernel', 'store', 'config', 'cli', 'drivers']),
  fence(
    ['src/launch/**', 'src/runtimes/references/**'],
    ['engine', 'ipam', 'firewall', 'store', 'config', 'cli', 'drivers'],
  ),
  // Entry points: configuration and wiring are theirs.
  fence(['src/runtimes/*/main.ts'], ['firewall', 'store', 'cli', 'drivers']),
  fence(['src/cluster/**'], ['kernel', 'store', 'firewall', 'engine', 'daemon', 'config', 'cli', 'drivers']),
  fence(['src/config/**'], ['kernel', 'store', 'engine', 'cli', 'drivers']),
  fence(
    ['src/client/**'],
    ['kernel', 'store', 'plan', 'ipam', 'firewall', 'launch', 'config', 'cli', 'daemon', 'drivers'],
  ),
  fence(['src/daemon/**'], ['cli', 'client', 'ipam', 'firewall', 'drivers']),
  fence(['src/engine/**'], ['kernel', 'store', 'config', 'cli']),
  fence(
    ['src/public/**', 'src/extensions/**', 'src/docker-plugins/**'],
    ['ipam', 'firewall', 'kernel', 'store', 'engine', 'config', 'cli', 'drivers'],
  ),
  fence(['drivers/**'], ['ipam', 'firewall', 'kernel', 'store', 'engine', 'config', 'cli']),
  { files: ['**/*.js'], ...tseslint.configs.disableTypeChecked },
);
