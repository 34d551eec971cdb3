import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  askerOf,
  lookUpAddress,
  lookUpName,
  openNetworkIndex,
  type OwnName,
} from '../../../../src/daemon/dns/own-names.ts';
import type { Ledger } from '../../../../src/model/ledger.ts';
import { endpoint, idOf, network, sandbox } from '../../store/records.ts';
import { temporaryLedger } from '../../store/temporary-ledger.ts';

/** "web db 10.1.0.2 alias alias": network, sandbox, address, aliases. */
function filled(...lines: readonly string[]): Ledger {
  const ledger = temporaryLedger();
  const parts = lines.map((line) => line.split(' ') as [string, string, string, ...string[]]);
  ledger.changeNetworks((change) => {
    for (const name of new Set(parts.map(([on]) => on))) {
      const [, , address = ''] = parts.find(([on]) => on === name) ?? [];
      const subnet = address.replace(/\.\d+\.\d+$/, '.0.0/16');
      change.putNetwork(
        network(name, { pools: [{ subnet, aux: {} }], driver: name.startsWith('lan') ? 'macvlan' : 'bridge' }),
      );
    }
  });
  ledger.change((change) => {
    for (const [index, [on, name, address, ...aliases]] of parts.entries()) {
      change.putSandbox(sandbox(name));
      const made = endpoint(on, name, { aliases, addresses: [{ address: `${address}/16` }], ordinal: index });
      change.putEndpoint(made);
      change.holdAddress(made.networkId, address, { kind: 'endpoint', endpointId: made.id }, 'dynamic');
    }
  });
  return ledger;
}

const index = openNetworkIndex();

function lookUp(ledger: Ledger, asker: string, name: string): OwnName {
  return ledger.read((view) => {
    const who = askerOf(view, idOf(`sandbox ${asker}`));
    const fresh = openNetworkIndex()(view);
    return lookUpAddress(view, fresh, who, name) ?? lookUpName(view, fresh, who, { name, families: [4] });
  });
}

const found = (...addresses: readonly string[]): OwnName => ({ kind: 'addresses', addresses });
const UNKNOWN: OwnName = { kind: 'unknown' };
const FOREIGN: OwnName = { kind: 'foreign' };

describe('a name', () => {
  const ledger = (): Ledger =>
    filled(
      'web asker 10.1.0.2',
      'web Db 10.1.0.3 store *.app.test www.shop.test',
      'web two 10.1.0.4 store one.app.test',
      'other hidden 10.2.0.2 secret www.example.org *.wild.test',
      'lan box 10.3.0.2',
    );

  it.each([
    ['db', found('10.1.0.3')],
    ['db.web', found('10.1.0.3')],
    [idOf('sandbox Db').slice(0, 12), found('10.1.0.3')],
    ['store', found('10.1.0.3', '10.1.0.4')],
    ['store.web', found('10.1.0.3', '10.1.0.4')],
    ['x.app.test', found('10.1.0.3')],
    ['one.app.test', found('10.1.0.4')],
    ['one.app.test.web', found('10.1.0.4')],
    ['www.shop.test', found('10.1.0.3')],
    ['asker', found('10.1.0.2')],
    // Ours, on another network.
    ['hidden', UNKNOWN],
    ['secret', UNKNOWN],
    ['hidden.other', UNKNOWN],
    ['hidden.web', UNKNOWN],
    [idOf('sandbox hidden').slice(0, 12), UNKNOWN],
    // The public tree's.
    ['www.example.org', FOREIGN],
    ['x.wild.test', FOREIGN],
    ['app.test', FOREIGN],
    ['shop.test', FOREIGN],
    ['nobody', FOREIGN],
    ['nobody.web', FOREIGN],
    ['.web', FOREIGN],
    ['', FOREIGN],
    ['*.app.test.', FOREIGN],
    // Addresses.
    ['3.0.1.10.in-addr.arpa', { kind: 'pointer', name: 'Db.web' }],
    ['2.0.2.10.in-addr.arpa', UNKNOWN],
    ['99.0.1.10.in-addr.arpa', UNKNOWN],
    ['1.2.0.192.in-addr.arpa', FOREIGN],
    ['300.0.1.10.in-addr.arpa', FOREIGN],
    // On a LAN, other people's machines have addresses too.
    ['2.0.3.10.in-addr.arpa', UNKNOWN],
    ['9.0.3.10.in-addr.arpa', FOREIGN],
  ] as const)('%s', (name, expected) => {
    const answer = lookUp(ledger(), 'asker', name);
    if (answer.kind === 'addresses' && expected.kind === 'addresses') {
      expect([...answer.addresses].sort()).toEqual([...expected.addresses]);
    } else expect(answer).toEqual(expected);
  });

  it('of a container that is not attached yet, or no more, is not answered', () => {
    for (const state of ['attaching', 'detaching'] as const) {
      const early = filled('web asker 10.1.0.2', 'web db 10.1.0.3');
      early.change((change) => {
        change.putEndpoint(endpoint('web', 'db', { state, owner: { pid: 1, startTime: 1 }, aliases: ['db2'] }));
      });
      expect(lookUp(early, 'asker', 'db').kind).toBe('unknown');
      expect(lookUp(early, 'asker', '3.0.1.10.in-addr.arpa').kind).toBe('unknown');
    }
  });

  it('is forgotten with its record, alias and all', () => {
    const changing = filled('web asker 10.1.0.2', 'web db 10.1.0.3 store *.app.test');
    changing.change((change) => {
      change.putEndpoint(endpoint('web', 'db', { aliases: ['shop'], addresses: [{ address: '10.1.0.3/16' }] }));
    });
    expect([lookUp(changing, 'asker', 'store'), lookUp(changing, 'asker', 'x.app.test')]).toEqual([FOREIGN, FOREIGN]);
    expect(lookUp(changing, 'asker', 'shop')).toEqual(found('10.1.0.3'));
    changing.change((change) => {
      change.deleteEndpoint(idOf('endpoint web db'));
      change.deleteSandbox(idOf('sandbox db'));
    });
    expect([lookUp(changing, 'asker', 'shop'), lookUp(changing, 'asker', 'db')]).toEqual([FOREIGN, FOREIGN]);
  });

  it('on two networks is the one of the default route, if it is on both', () => {
    const both = filled(
      'web asker 10.1.0.2',
      'other asker 10.2.0.2',
      'web db 10.1.0.3',
      'other db 10.2.0.3',
      'other far 10.2.0.4',
    );
    expect(lookUp(both, 'asker', 'db')).toEqual(found('10.1.0.3'));
    expect(lookUp(both, 'asker', 'db.other')).toEqual(found('10.2.0.3'));
    expect(lookUp(both, 'asker', 'far')).toEqual(found('10.2.0.4'));
    both.change((change) => {
      change.putEndpoint(endpoint('other', 'asker', { gatewayPriority: 9, addresses: [{ address: '10.2.0.2/16' }] }));
    });
    expect(lookUp(both, 'asker', 'db')).toEqual(found('10.2.0.3'));
  });
});

it('never tells an address of a network that the asker is not on', () => {
  const names = fc.constantFrom('a', 'b', 'c', '*.x', 'y.x', '*.b');
  const networks = ['n0', 'n1', 'n2'] as const;
  const line = fc.tuple(
    fc.constantFrom(0, 1, 2),
    fc.constantFrom('s0', 's1', 's2', 's3'),
    fc.array(names, { maxLength: 3 }),
  );
  fc.assert(
    fc.property(
      fc.uniqueArray(line, { minLength: 1, maxLength: 8, selector: ([on, who]) => `${on} ${who}` }),
      (lines) => {
        const ledger = filled(
          ...lines.map(([on, who, aliases], at) => [networks[on], who, `10.${on}.0.${at + 2}`, ...aliases].join(' ')),
        );
        for (const asker of ['s0', 's1']) {
          const mine = new Set(lines.filter(([, who]) => who === asker).map(([on]) => on));
          for (const name of [
            'a',
            'b',
            'c',
            'q.x',
            'y.x',
            's0',
            's1',
            's2',
            's3',
            'a.n0',
            's1.n1',
            'q.b',
            'y.x.n2',
            'a.n2.n1',
          ]) {
            const answer = lookUp(ledger, asker, name);
            for (const address of answer.kind === 'addresses' ? answer.addresses : []) {
              expect(mine.has(Number(address.split('.')[1]) as 0)).toBe(true);
            }
          }
        }
      },
    ),
    { numRuns: 25 },
  );
});

it('the index of networks is made anew when they change', () => {
  const ledger = filled('web asker 10.1.0.2');
  expect(ledger.read((view) => index(view).has('late'))).toBe(false);
  ledger.changeNetworks((change) => {
    change.putNetwork(network('Late', { pools: [{ subnet: '10.9.0.0/16', aux: {} }] }));
  });
  expect(ledger.read((view) => [index(view).has('late'), index(view).networksAround('10.9.1.1').length])).toEqual([
    true,
    1,
  ]);
});
