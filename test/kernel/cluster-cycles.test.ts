/**
 * Containers come, leave and die at random on three hosts, whose daemons are killed now and then: at the end every kernel has the way to
 * those that live, and to nobody else. CYCLES=1000 for a long run.
 */
import { expect, it } from 'vitest';
import {
  container,
  createOverlay,
  entriesFor,
  stageForFile,
  untilEntries,
  type ClusterHost,
  type ClusterStage,
  type TestContainer,
} from '../support/cluster-stage.ts';
import { Lab, until } from '../support/lab.ts';

const CYCLES = Number(process.env['CYCLES'] ?? 60);
/** So many at a time on each host: addresses are few, so that they are used again. */
const MOST_PER_HOST = 4;
const KILL_EVERY = 15;

const lab = new Lab();
let stage: ClusterStage;

stageForFile(lab, { hosts: 3, config: { 'quarantine-seconds': 0 } }, async (opened) => {
  stage = opened;
  await createOverlay(stage, { name: 'ov', subnet: '10.77.0.0/28' });
});

/** A series that is the same in every run. */
function series(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
}

async function live(host: ClusterHost, random: () => number, cycles: number): Promise<TestContainer[]> {
  const living: TestContainer[] = [];
  for (let cycle = 1; cycle <= cycles; cycle++) {
    const one = living[Math.floor(random() * living.length)];
    const wish = random();
    if (cycle % KILL_EVERY === 0) {
      await host.killDaemon('SIGKILL');
      if (one !== undefined) one.namespace.close();
      if (one !== undefined) living.splice(living.indexOf(one), 1);
      await host.startDaemon();
    } else if (one === undefined || (living.length < MOST_PER_HOST && wish < 0.5)) {
      living.push(await container(lab, host, 'ov'));
    } else {
      living.splice(living.indexOf(one), 1);
      if (wish < 0.8) await one.leave();
      else one.namespace.close();
    }
  }
  return living;
}

it(`${String(CYCLES)} random attaches, detaches and kills leave no entry behind`, { timeout: 1_200_000 }, async () => {
  const all = await Promise.all(
    stage.hosts.map((host, index) => live(host, series(index + 1), Math.ceil(CYCLES / stage.hosts.length))),
  );
  for (const [index, host] of stage.hosts.entries()) {
    const others = all.flat().filter(({ on }) => on !== host);
    await untilEntries(
      host,
      others.flatMap(({ address, on }) => entriesFor(address, on.address)),
      60_000,
    );
    const peer = others[0];
    const own = all[index]?.[0];
    if (peer !== undefined && own !== undefined) expect(await own.ping(peer.address)).toBe(true);
  }
  const wanted = all
    .flat()
    .map(({ address }) => address)
    .sort();
  await until(async () => {
    const { stdout } = await stage.etcd.ctl('get', '--prefix', '--keys-only', '/tsnet/v1/ep/');
    const there = [...stdout.matchAll(/\/([0-9.]+)$/gm)].map(([, address]) => address).sort();
    return JSON.stringify(there) === JSON.stringify(wanted);
  }, 30_000);
});
