/** What a Docker engine lists as its own now (Engine API: GET /info, /networks, /networks/{id}). */
import type { DockerSight, DockerSightNetwork } from '../../engine/docker-plugin/sight.ts';
import { TsnetError } from '../../model/error.ts';
import { getJson } from '../references/unix-http.ts';
import { isMessage, messageIn, messagesIn, textIn, type Message } from './message.ts';

export interface LookAtDocker {
  /** Of the engine's API. */
  readonly socket: string;
  /** What Docker calls our plugin. */
  readonly plugin: string;
  readonly timeoutMs: number;
  readonly now: () => number;
}

/** Rejects where Docker does not answer, or not as expected: then nothing is known. */
export async function lookAtDocker({ socket, plugin, timeoutMs, now }: LookAtDocker): Promise<DockerSight> {
  const askedMs = now();
  const ask = async (path: string): Promise<unknown> => {
    const { status, body } = await getJson({ socket, path, timeoutMs });
    if (status === 200) return body;
    if (status === 404) return undefined;
    throw new TsnetError('RUNTIME', `ask Docker at ${socket} for ${path}: HTTP ${status}`);
  };
  const engine = textIn(asMessage(await ask('/info')), 'ID');
  if (engine === '') throw new TsnetError('RUNTIME', `ask Docker at ${socket}: it has no ID`);
  const listed = messagesIn({ networks: await ask('/networks') }, 'networks');
  const networks = new Map<string, DockerSightNetwork>();
  for (const network of listed) {
    if (textIn(network, 'Driver') !== plugin) continue;
    const id = textIn(network, 'Id');
    const whole = await ask(`/networks/${encodeURIComponent(id)}`);
    if (whole !== undefined)
      networks.set(id, { name: textIn(network, 'Name'), endpoints: endpointsOf(asMessage(whole)) });
  }
  const ownSubnets = listed
    .map((network) => messageIn(network, 'IPAM'))
    .filter((ipam) => textIn(ipam, 'Driver') === plugin)
    .flatMap((ipam) => messagesIn(ipam, 'Config').map((config) => textIn(config, 'Subnet')));
  return { engine, askedMs, networks, ownSubnets: new Set(ownSubnets) };
}

function asMessage(value: unknown): Message {
  if (isMessage(value)) return value;
  throw new TsnetError('RUNTIME', 'ask Docker: the answer is no JSON object');
}

function endpointsOf(network: Message): ReadonlyMap<string, string> {
  const containers = Object.values(messageIn(network, 'Containers')).filter(isMessage);
  return new Map(containers.map((container) => [textIn(container, 'EndpointID'), textIn(container, 'Name')]));
}
