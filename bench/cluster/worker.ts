/** A process with some of the simulated hosts, told by the first one what to do; it answers when it has. */
import { Agent, type Joined, type Tally } from './agent.ts';
import { simulatedBlockNetwork } from './block-network.ts';
import { networksOf, simulatedNetwork, type Layout } from './layout.ts';

export type Order =
  | { readonly kind: 'start'; readonly url: string; readonly hosts: readonly number[]; readonly layout: Layout }
  /** Every host claims so many addresses, one after the other. */
  | { readonly kind: 'fill'; readonly each: number }
  /** Waits, claims and releases at a rate. */
  | { readonly kind: 'churn'; readonly perSecond: number; readonly seconds: number }
  /**
   * The first `hosts` of all claim on one network as fast as they can, and `listeners` more are told of it. Claimers are deaf: what they
   * would hear costs 64 machines their processors, and here two.
   */
  | {
      readonly kind: 'contend';
      readonly listeners: number;
      readonly network: number;
      readonly subnet: string;
      readonly hosts: number;
      readonly seconds: number;
    };

export interface Answer extends Tally {
  /** Of the time of this order. */
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  readonly error?: string;
}

/** Hosts that start at the same time. */
const ABREAST = 8;

const tally: Tally = { events: 0, convergences: [], claims: [], failures: 0 };
const agents: { readonly host: number; readonly agent: Agent }[] = [];

export function work(): void {
  process.on('disconnect', () => process.exit());
  process.on('message', (order: Order) => {
    const before = process.cpuUsage();
    Object.assign(tally, { events: 0, convergences: [], claims: [], failures: 0 });
    obey(order).then(
      () => {
        answer(before);
      },
      (error: unknown) => {
        answer(before, String(error));
      },
    );
  });
}

function answer(before: NodeJS.CpuUsage, error?: string): void {
  const { user, system } = process.cpuUsage(before);
  const told: Answer = {
    ...tally,
    cpuSeconds: (user + system) / 1e6,
    rssBytes: process.memoryUsage.rss(),
    ...(error === undefined ? {} : { error }),
  };
  process.send?.(told);
}

async function obey(order: Order): Promise<void> {
  switch (order.kind) {
    case 'start':
      return start(order);
    case 'fill':
      return fill(order);
    case 'churn':
      return churn(order);
    case 'contend':
      return contend(order);
  }
}

async function start({ url, hosts, layout }: Extract<Order, { kind: 'start' }>): Promise<void> {
  const waiting = [...hosts];
  const starter = async (): Promise<void> => {
    for (let host = waiting.shift(); host !== undefined; host = waiting.shift()) {
      const agent = await Agent.start(url, host, tally);
      agents.push({ host, agent });
      if (layout.mode === 'block') await agent.joinBlocks(simulatedBlockNetwork());
      else await Promise.all(networksOf(layout, host).map((index) => agent.join(simulatedNetwork(index))));
    }
  };
  await Promise.all(Array.from({ length: ABREAST }, starter));
}

async function fill({ each }: Extract<Order, { kind: 'fill' }>): Promise<void> {
  const filler = async (agent: Agent): Promise<void> => {
    for (const joined of agent.joined) for (let one = 0; one < each; one += 1) await agent.claim(joined);
  };
  await Promise.all(agents.map(({ agent }) => filler(agent)));
  await pause(500);
}

/** Changes are half claims, half releases, each of a host and a network drawn by lot. */
async function churn({ perSecond, seconds }: Extract<Order, { kind: 'churn' }>): Promise<void> {
  const end = performance.now() + seconds * 1000;
  const running: Promise<void>[] = [];
  for (let done = 0; performance.now() < end;) {
    const due = Math.floor(((performance.now() - (end - seconds * 1000)) / 1000) * perSecond);
    for (; done < due; done += 1) {
      const agent = agents[Math.floor(Math.random() * agents.length)]?.agent;
      const joined = agent?.joined[Math.floor(Math.random() * agent.joined.length)];
      if (agent === undefined || joined === undefined) continue;
      running.push(joined.held.length > 0 ? agent.release(joined) : agent.claim(joined));
    }
    await pause(20);
  }
  await Promise.all(running);
  // What is under way to others.
  await pause(500);
}

async function contend({
  network,
  subnet,
  hosts,
  listeners,
  seconds,
}: Extract<Order, { kind: 'contend' }>): Promise<void> {
  const record = simulatedNetwork(network, subnet);
  const chosen = agents.filter(({ host }) => host < hosts).map(({ agent }) => agent);
  const listening = agents.filter(({ host }) => host >= hosts && host < hosts + listeners);
  await Promise.all(listening.map(({ agent }) => agent.join(record)));
  const joined = await Promise.all(chosen.map(async (agent) => [agent, await agent.join(record, 'deaf')] as const));
  const end = performance.now() + seconds * 1000;
  const claimer = async ([agent, on]: readonly [Agent, Joined]): Promise<void> => {
    while (performance.now() < end) await agent.claim(on);
  };
  await Promise.all(joined.map(claimer));
  await pause(500);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
