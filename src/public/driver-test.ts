/**
 * `tsnet/driver-test`: the contract that every driver keeps, as clauses for any runner of tests. tsnet's own drivers pass it.
 *
 *     for (const { says, holds } of driverContract({ driver })) test(says, holds);
 */
import assert from 'node:assert/strict';
import { Ajv } from 'ajv';
import { TsnetError } from '../model/error.ts';
import type { Endpoint, JsonObject, JsonValue, Network, PublishedPort } from '../model/records.ts';
import { driverFault } from '../plan/check-driver.ts';
import { planFaults } from '../plan/check-plan.ts';
import type { Driver } from '../plan/driver.ts';
import { frozenCopy, isJson } from '../plan/json.ts';
import { linksMade, linksUsed } from '../plan/plan-links.ts';
import type { Plan } from '../plan/resource.ts';
import { sampleEndpoint, sampleInput, sampleNetwork, type Sample } from './samples.ts';

export { sampleEndpoint, sampleInput, sampleNetwork, type Sample } from './samples.ts';

/** One thing that the contract asks: `holds` throws AssertionError where it does not. */
export interface Clause {
  readonly says: string;
  readonly holds: () => void;
}

export interface ContractRequest {
  readonly driver: Driver;
  /** Networks to try, besides one with all defaults. Give one for each way that your options lead. */
  readonly samples?: readonly Sample[];
}

const JUNK: readonly JsonValue[] = ['', ' ', '../../etc', 'x'.repeat(300), -1, 1.5, true, null, [], {}];

const PORTS: readonly PublishedPort[] = [
  { protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80, count: 1 },
  { protocol: 'udp', hostAddress: '127.0.0.1', hostPort: 9000, containerPort: 9000, count: 10 },
];

export function driverContract({ driver, samples = [{}] }: ContractRequest): readonly Clause[] {
  return [
    {
      says: 'is a driver of this API',
      holds: () => {
        assert.equal(driverFault(driver), undefined);
      },
    },
    {
      says: 'describes its options by a JSON Schema',
      holds: () => {
        describesOptions(driver);
      },
    },
    {
      says: 'gives its options other names that lead somewhere',
      holds: () => {
        namesOptions(driver);
      },
    },
    ...samples.flatMap((sample) => clausesOf(driver, sample)),
  ];
}

function clausesOf(driver: Driver, sample: Sample): Clause[] {
  const called = sample.called === undefined ? '' : ` (${sample.called})`;
  const network = (): Network => frozenCopy(sampleNetwork(driver, sample));
  const endpoint = (change: Partial<Endpoint> = {}): Endpoint => frozenCopy(sampleEndpoint(driver, network(), change));
  const clauses: Clause[] = [
    {
      says: 'decides on settings that the ledger can keep, the same each time',
      holds: () => {
        decides(driver, sample);
      },
    },
    {
      says: 'refuses options that make no sense with an error of ours',
      holds: () => {
        refusesJunk(driver, sample);
      },
    },
    {
      says: 'names the interfaces of its endpoints',
      holds: () => {
        namesInterfaces(driver, network());
      },
    },
    {
      says: 'plans a network from its record alone, and nothing that is not its own',
      holds: () => {
        const record = network();
        isPure(() => driver.networkPlan(record));
        keepsToItsOwn(driver.networkPlan(record), { network: record });
      },
    },
    {
      says: 'gives two networks no link in common',
      holds: () => {
        const other = { ...sample, draft: { ...sample.draft, name: 'other' } };
        shareNothing(driver.networkPlan(network()), driver.networkPlan(sampleNetwork(driver, other)));
      },
    },
  ];
  if (driver.refusesEndpoints === undefined) {
    clauses.push(
      {
        says: 'plans an endpoint from the records alone, and nothing that is not its own',
        holds: () => {
          const [record, one] = [network(), endpoint()];
          isPure(() => driver.endpointPlan(record, one));
          keepsToItsOwn(driver.endpointPlan(record, one), {
            network: record,
            endpoint: one,
            networkPlan: driver.networkPlan(record),
          });
        },
      },
      {
        says: 'gives two endpoints no link in common',
        holds: () => {
          const [one, two] = [0, 1].map((number) => sampleEndpoint(driver, network(), { number }));
          assert.ok(one !== undefined && two !== undefined);
          shareNothing(driver.endpointPlan(network(), one), driver.endpointPlan(network(), two));
        },
      },
      {
        says: 'publishes what it is asked to, or says why it cannot',
        holds: () => {
          publishes(driver, network());
        },
      },
      {
        says: 'makes a link before what hangs on it, so that removal goes the other way round',
        holds: () => {
          isInOrder([...driver.networkPlan(network()), ...driver.endpointPlan(network(), endpoint())]);
        },
      },
    );
  }
  return clauses.map(({ says, holds }) => ({ says: `${says}${called}`, holds }));
}

function describesOptions({ options }: Driver): void {
  new Ajv({ strict: false }).compile(options);
  const others = options['additionalProperties'];
  assert.ok(
    others === false || (typeof others === 'object' && others !== null && 'description' in others),
    'additionalProperties must be false, so that a mistyped option is found, or a schema with a description',
  );
  for (const [name, property] of Object.entries(propertiesOf(options))) {
    assert.equal(typeof property['description'], 'string', `option ${name} has no description`);
  }
}

function namesOptions({ options, aliases }: Driver): void {
  const known = Object.keys(propertiesOf(options));
  for (const [alias, name] of Object.entries(aliases)) {
    assert.ok(known.includes(name), `alias ${alias} means option ${name}, which there is not`);
    assert.ok(!known.includes(alias), `alias ${alias} is an option of its own`);
  }
}

function propertiesOf(options: JsonObject): Readonly<Record<string, JsonObject>> {
  return options['properties'] as Readonly<Record<string, JsonObject>>;
}

function decides(driver: Driver, sample: Sample): void {
  const input = frozenCopy(sampleInput(driver, sample));
  const settings = isPure<unknown>(() => driver.configure(input));
  assert.ok(
    typeof settings === 'object' && settings !== null && !Array.isArray(settings),
    'settings must be an object',
  );
}

function refusesJunk(driver: Driver, sample: Sample): void {
  const input = sampleInput(driver, sample);
  for (const name of Object.keys(propertiesOf(driver.options))) {
    for (const junk of JUNK) {
      const options = { ...input.draft.options, [name]: junk };
      try {
        const settings: unknown = driver.configure(frozenCopy({ ...input, draft: { ...input.draft, options } }));
        assert.ok(isJson(settings), `${name}=${JSON.stringify(junk)}: settings that are no JSON`);
      } catch (error) {
        assert.ok(isRefusal(error), `${name}=${JSON.stringify(junk)}: ${String(error)} instead of a TsnetError`);
      }
    }
  }
}

/** The driver's package may bring a copy of our class of its own. */
function isRefusal(error: unknown): boolean {
  return error instanceof TsnetError || (error instanceof Error && error.name === 'TsnetError');
}

function namesInterfaces(driver: Driver, network: Network): void {
  const { interfacePrefix, publishAddress } = driver.endpointDefaults(network);
  assert.match(interfacePrefix, /^[A-Za-z][A-Za-z0-9_.-]{0,11}$/);
  assert.equal(typeof publishAddress, 'string');
}

/** The same answer twice, of plain data; the frozen input was not written to, or the driver would have thrown. */
function isPure<T>(work: () => T): T {
  const [first, second] = [work(), work()];
  assert.ok(!((first as unknown) instanceof Promise), 'it answers a promise; decide at once, from what you are given');
  assert.ok(isJson(first), 'the answer is no plain data');
  assert.deepEqual(first, second, 'the same input gave two answers');
  return first;
}

function keepsToItsOwn(plan: Plan, owner: Parameters<typeof planFaults>[1]): void {
  assert.deepEqual(planFaults(plan, owner), []);
}

function shareNothing(one: Plan, other: Plan): void {
  // A VLAN sub-interface is named by parent and number and shared on purpose.
  const own = (plan: Plan): string[] => plan.filter(({ kind }) => kind !== 'vlan').flatMap(linksMade);
  const taken = new Set(own(one));
  assert.deepEqual(
    own(other).filter((link) => taken.has(link)),
    [],
  );
}

function publishes(driver: Driver, network: Network): void {
  if (driver.endpointDefaults(network).refusesPorts !== undefined) return;
  if (!network.pools.some(({ subnet }) => !subnet.includes(':'))) return;
  const endpoint = sampleEndpoint(driver, network, { ports: PORTS });
  const published = driver
    .endpointPlan(network, endpoint)
    .flatMap((resource) =>
      resource.kind === 'publish' ? [`${resource.hostPort}/${resource.protocol} × ${resource.count}`] : [],
    );
  assert.deepEqual(published.sort(), ['8080/tcp × 1', '9000/udp × 10']);
  assert.deepEqual(
    driver.endpointPlan(network, { ...endpoint, ports: [] }).filter(({ kind }) => kind === 'publish'),
    [],
    'ports are published that nobody asked for',
  );
  keepsToItsOwn(driver.endpointPlan(network, endpoint), {
    network,
    endpoint,
    networkPlan: driver.networkPlan(network),
  });
}

function isInOrder(plan: Plan): void {
  const makers = new Map(plan.flatMap((resource, at) => linksMade(resource).map((link) => [link, at] as const)));
  for (const [at, resource] of plan.entries()) {
    for (const link of linksUsed(resource)) {
      const made = makers.get(link) ?? -1;
      assert.ok(made <= at, `${resource.kind} on ${link} comes before ${link} is made`);
    }
  }
}
