/**
 * The programs in dist/: for each its source, what of it every start reads, and what the build has it do to learn.
 *
 * `file`: its name in dist/. `first`: files that the first part of the program has although they are reached by `import()`
 * (`parts.js`). `lessons`: a shell script that uses the program as it is used most, and `fallback`: arguments of a start that
 * needs no privileges (`code-cache.js`). Without lessons a program has no code cache.
 */

/**
 * What is learnt: to list networks, and to connect a container and to disconnect it, the first time and again, with a published
 * port and without. What nobody does often (`create`) is left to be compiled.
 */
const TSNET_LESSONS = `
unshare --net sleep 30 &
program create --subnet 10.99.0.0/24 lesson
for port in 65001:80 65002:80; do
  learn connect lesson pid:$!
  learn disconnect lesson pid:$!
  learn connect --publish $port lesson pid:$!
  learn disconnect lesson pid:$!
done
kill $!
learn ls
`;

export const ENTRIES = [
  {
    name: 'tsnet',
    file: 'tsnet.js',
    source: 'src/cli/main.ts',
    // What looks at the ledger and no further.
    first: [
      'src/cli/inspect.ts',
      'src/cli/ls.ts',
      'src/cli/port.ts',
      'src/client/remote-engine.ts',
      'src/config/load.ts',
      'src/wiring/own-engine.ts',
    ],
    lessons: TSNET_LESSONS,
    fallback: ['ls'],
  },
];

/** Measures; built with `--bench` only. */
export const BENCH = { name: 'bench', file: 'bench.js', source: 'bench/main.ts', first: [] };
