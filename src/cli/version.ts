/** The version of package.json; the build puts it in place of this name. */
declare const TSNET_VERSION: string | undefined;

export const VERSION: string = typeof TSNET_VERSION === 'string' ? TSNET_VERSION : '0.0.0-source';
