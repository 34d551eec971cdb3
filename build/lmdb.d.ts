import type { Plugin } from 'esbuild';

/** lmdb and its helpers without what costs every start. */
export function lmdb(): Plugin;
