/**
 * Docker's paths, before a router sees them: a version in front (`/v1.41/networks`), and ids of networks and containers in which
 * any character may stand, slashes too (`/networks/a/b/connect`).
 */
import { API_VERSION } from './api-version.ts';

const RESOURCES = /^\/(_ping|version|info|events|networks|containers)(\/|$)/;
const VERSIONED = /^\/v(\d[\d.]{0,15})(\/.*)$/;

/** The path with its query as the routes know it: without version, the id in one piece. Other people's paths stay as they are. */
export function routedPath(method: string, url: string): string {
  const { path, query } = cut(url);
  const [, , rest = path] = VERSIONED.exec(path) ?? [];
  if (!RESOURCES.test(rest)) return url;
  return inOnePiece(method, rest) + query;
}

/** The version that a request names in its path, the newest where it names none. */
export function versionInPath(url: string): string {
  const [, version, rest = ''] = VERSIONED.exec(cut(url).path) ?? [];
  return version === undefined || !RESOURCES.test(rest) ? API_VERSION : version;
}

function cut(url: string): { readonly path: string; readonly query: string } {
  const mark = url.indexOf('?');
  return mark === -1 ? { path: url, query: '' } : { path: url.slice(0, mark), query: url.slice(mark) };
}

/** `/networks/a/b/connect` → `/networks/a%2Fb/connect` */
function inOnePiece(method: string, path: string): string {
  const patterns = method === 'POST' ? POSTED : ASKED;
  for (const pattern of patterns) {
    const [, resource, id, verb] = pattern.exec(path) ?? [];
    if (resource !== undefined && id !== undefined) return `/${resource}/${id.replaceAll('/', '%2F')}${verb ?? ''}`;
  }
  return path;
}

const POSTED = [/^\/(networks)\/(.+)(\/connect|\/disconnect)\/?$/];
const ASKED = [/^\/(networks)\/(.+?)\/?$/, /^\/(containers)\/(.+)(\/json)\/?$/];
