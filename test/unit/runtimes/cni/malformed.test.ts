/** Whatever stands on standard input and in the environment: one JSON document or nothing, and an exit status. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { call } from './plugin-stage.ts';

const KEYS = [
  ...['cniVersion', 'name', 'type', 'network', 'interface', 'bridge', 'subnet', 'ipam', 'dns', 'args', 'cni', 'ips'],
  ...['prevResult', 'interfaces', 'routes', 'ip4', 'runtimeConfig', 'portMappings', 'HostPort', 'containerPort', 'mac'],
  ...['bandwidth', 'ingressRate', 'ingressBurst', 'ipRanges', 'rangeStart', 'rangeEnd', 'ranges', 'gateway', 'address'],
  ...['cni.dev/valid-attachments', 'containerID', 'ifname', 'aliases', 'options', 'labels', 'vlan', 'mtu', '__proto__'],
];
const VALUES = [
  '',
  '1.1.0',
  '0.2.0',
  'web',
  'eth0',
  '10.1.0.0/16',
  '10.1.0.7',
  'fd00::/64',
  '::',
  'host-local',
  'TRUE',
];

const leaf = fc.oneof(
  fc.constantFrom(...VALUES),
  fc.string(),
  fc.integer({ min: -1, max: 70_000 }),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
);
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof({ maxDepth: 5 }, leaf, tie('list'), tie('object')),
  list: fc.array(tie('tree'), { maxLength: 4 }),
  object: fc.dictionary(fc.constantFrom(...KEYS), tie('tree'), { maxKeys: 8 }),
}));
/** Mostly configurations that go a good way. */
const config = fc.oneof(
  fc.string(),
  tree.map((value) => JSON.stringify(value)),
  fc
    .dictionary(fc.constantFrom(...KEYS), tree, { maxKeys: 8 })
    .map((given) => JSON.stringify({ cniVersion: '1.1.0', name: 'pods', type: 'tsnet', ...given })),
);
const command = fc.constantFrom(undefined, '', 'ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION', 'add');
const text = fc.option(fc.oneof(fc.string(), fc.constantFrom('c1', 'eth0', '/run/netns/x', 'IP=10.1.0.7;MAC=x')), {
  nil: undefined,
});
const env = fc.record({ CNI_CONTAINERID: text, CNI_NETNS: text, CNI_IFNAME: text, CNI_ARGS: text, CNI_PATH: text });

async function isWellAnswered(
  name: string | undefined,
  input: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  // `call` parses what was printed: two documents, or half a one, would throw.
  const { status, printed, stdout } = await call(name, {
    config: input,
    env: environment,
    delegate: () => Promise.resolve({ ips: [{ address: '10.1.0.9/16' }] }),
  });
  expect([0, 1]).toContain(status);
  expect(stdout === '' || stdout.endsWith('}\n')).toBe(true);
  if (status === 1) {
    expect(printed).toMatchObject({ code: expect.any(Number) as number, msg: expect.any(String) as string });
    // A bug of ours, for all we know.
    expect(printed?.['code'], JSON.stringify(printed)).not.toBe(999);
  }
}

test(
  'any configuration',
  () =>
    fc.assert(
      fc.asyncProperty(command, config, (name, input) => isWellAnswered(name, input, {})),
      { numRuns: 800 },
    ),
  30_000,
);

test(
  'any environment',
  () => fc.assert(fc.asyncProperty(command, config, env, isWellAnswered), { numRuns: 400 }),
  30_000,
);
