/** The version of this tsnet. */

/** Written by the build from package.json; absent when run from the sources. */
declare const TSNET_VERSION: string | undefined;

export const VERSION: string = typeof TSNET_VERSION === 'undefined' ? '0.0.0-source' : TSNET_VERSION;
