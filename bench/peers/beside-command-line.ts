/**
 * Network set-up programs that a container runtime starts once a container, beside `tsnet connect` and `tsnet disconnect`: the
 * same bridge, address and published port, by processes on both sides.
 */
import type { Row } from '../group.ts';
import { inTurn, timed } from '../in-turn.ts';
import { outputWith } from '../run-with.ts';
import { openHost, TSNET, type Backend } from '../tsnet-host.ts';

const RUNS = 12;

/** Programs of a peer, for one container each; both end when the work is done. */
export interface Peer {
  readonly name: string;
  readonly attach: (container: PeerContainer) => Promise<unknown>;
  readonly detach: (container: PeerContainer) => Promise<unknown>;
}

export interface PeerContainer {
  readonly id: string;
  readonly netns: string;
  readonly address: string;
  readonly hostPort: number;
}

export async function rowsBeside(peer: Peer, dir: string, backend: Backend): Promise<Row[]> {
  const { engine, container, env } = await openHost(dir, backend);
  await engine.createNetwork({ name: 'web', ipam: [{ subnet: '10.10.0.0/16' }] });
  const tsnet = (...args: readonly string[]): Promise<string> =>
    outputWith('', [process.execPath, TSNET, ...args], env);
  const theirs = (number: number): PeerContainer => ({
    id: `bench${number}`.padEnd(64, '0'),
    netns: container(`peer${number}`).path,
    address: `10.11.0.${10 + number}`,
    hostPort: 9000 + number,
  });
  // One stays, so that nobody makes and removes what the first and the last container bring and take.
  await tsnet('connect', '-p', '8081:80', 'web', container('stays').path);
  await peer.attach(theirs(0));

  const [ours, other] = [container('ours').path, theirs(1)];
  const detach = { ours: [] as number[], peer: [] as number[] };
  const attach = await inTurn(
    { runs: RUNS },
    async (run) => {
      const took = await timed(() => tsnet('connect', '-p', '8080:80', 'web', ours));
      const gone = await timed(() => tsnet('disconnect', 'web', ours));
      if (run >= 0) detach.ours.push(gone);
      return took;
    },
    async (run) => {
      const took = await timed(() => peer.attach(other));
      const gone = await timed(() => peer.detach(other));
      if (run >= 0) detach.peer.push(gone);
      return took;
    },
  );
  return [
    { name: 'tsnet connect -p 8080:80', ...attach, peerName: `${peer.name}, attach`, unit: 'ms' },
    { name: 'tsnet disconnect', ...detach, peerName: `${peer.name}, detach`, unit: 'ms' },
  ];
}
