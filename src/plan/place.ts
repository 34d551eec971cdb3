/** Where a resource lives: the host's namespace, or the sandbox with this id. */
export type Place = 'host' | { readonly sandbox: string };
