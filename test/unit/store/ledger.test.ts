import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { TsnetError } from '../../../src/model/error.ts';
import type { LeaseHolder } from '../../../src/model/records.ts';
import { openEnvironment } from '../../../src/store/environment.ts';
import { META } from '../../../src/store/keys.ts';
import { endpoint, idOf, network, sandbox } from './records.ts';
import { open, temporaryLedger, temporaryPlaces } from './temporary-ledger.ts';

const WEB = network('web');
const DB = sandbox('db');

describe('a new ledger', () => {
  test('is empty, and made by looking at it', () => {
    const ledger = temporaryLedger();
    ledger.read((view) => {
      expect(view.networks()).toEqual([]);
      expect(view.sandboxes()).toEqual([]);
      expect(view.endpoints()).toEqual([]);
      expect(view.ports()).toEqual([]);
      expect(view.pending()).toEqual([]);
      expect(view.networkByName('web')).toBeUndefined();
      expect(view.networkByName('x'.repeat(5000))).toBeUndefined();
      expect(view.hasEndpoints(WEB.id)).toBe(false);
      expect(view.lastEphemeralPort('tcp')).toBeUndefined();
      expect(view.isRealized(WEB.id)).toBe(false);
      expect(view.installationId()).toMatch(/^[0-9a-f]{64}$/);
    });
  });
});

describe('a network', () => {
  test('is found by id and by name until it is deleted', () => {
    const ledger = temporaryLedger();
    ledger.changeNetworks((change) => {
      change.putNetwork(WEB);
      change.putNetwork(network('Ünïcode / name'));
    });
    ledger.read((view) => {
      expect(view.network(WEB.id)).toEqual(WEB);
      expect(view.networkByName('web')).toEqual(WEB);
      expect(view.networkByName('Ünïcode / name')?.name).toBe('Ünïcode / name');
      expect(view.networks()).toHaveLength(2);
    });
    ledger.changeNetworks((change) => {
      change.deleteNetwork(WEB.id);
    });
    expect(ledger.read((view) => [view.network(WEB.id), view.networkByName('web')])).toEqual([undefined, undefined]);
  });

  test('gives its old name free when it is renamed', () => {
    const ledger = temporaryLedger();
    ledger.changeNetworks((change) => {
      change.putNetwork(WEB);
      change.putNetwork({ ...WEB, name: 'shop' });
    });
    expect(ledger.read((view) => [view.networkByName('web'), view.networkByName('shop')?.id])).toEqual([
      undefined,
      WEB.id,
    ]);
  });

  test('cannot have the name of another', () => {
    const ledger = temporaryLedger();
    ledger.changeNetworks((change) => {
      change.putNetwork(WEB);
    });
    const twin = { ...WEB, id: idOf('twin') };
    expect(() => {
      ledger.changeNetworks((change) => {
        change.putNetwork(twin);
      });
    }).toThrow('network name web is taken');
    expect(ledger.read((view) => view.networks())).toEqual([WEB]);
  });

  test('is forgotten with its leases, cursors and marks, and no other one is', () => {
    const ledger = temporaryLedger();
    const holder: LeaseHolder = { kind: 'endpoint', endpointId: 'x' };
    ledger.change((change) => {
      for (const id of [WEB.id, idOf('other')]) {
        change.holdAddress(id, '10.0.0.2', holder, 'dynamic');
        change.setRealized(id, true);
      }
      change.forgetNetwork(WEB.id);
    });
    ledger.read((view) => {
      expect(view.leases(WEB.id)).toEqual([]);
      expect(view.leasesFor(WEB.id, 4).last).toBeUndefined();
      expect(view.isRealized(WEB.id)).toBe(false);
      expect(view.leases(idOf('other'))).toHaveLength(1);
      expect(view.isRealized(idOf('other'))).toBe(true);
    });
  });
});

describe('sandboxes and endpoints', () => {
  test('are found by everything that names them', () => {
    const ledger = temporaryLedger();
    const first = endpoint('web', 'db', { ordinal: 1 });
    const second = endpoint('lan', 'db', { ordinal: 0 });
    ledger.change((change) => {
      change.putSandbox(DB);
      change.putEndpoint(first);
      change.putEndpoint(second);
      change.putEndpoint(endpoint('web', 'app'));
    });
    ledger.read((view) => {
      expect(view.sandboxByName('db')).toEqual(DB);
      expect(view.sandboxByNetns(DB.netns)).toEqual(DB);
      expect(view.sandboxByNetns({ device: 4, inode: 1 })).toBeUndefined();
      expect(view.endpointsOfSandbox(DB.id)).toEqual([second, first]);
      expect(view.endpointsOfNetwork(WEB.id)).toHaveLength(2);
      expect(view.hasEndpoints(WEB.id)).toBe(true);
      expect(view.endpoint(first.id)).toEqual(first);
    });
    ledger.change((change) => {
      change.deleteEndpoint(second.id);
      change.deleteSandbox(DB.id);
    });
    ledger.read((view) => {
      expect(view.hasEndpoints(idOf('network lan'))).toBe(false);
      expect(view.sandboxByName('db')).toBeUndefined();
      expect(view.sandboxByNetns(DB.netns)).toBeUndefined();
      expect(view.endpoints()).toHaveLength(2);
    });
  });

  test('that share a namespace number are told by the latest', () => {
    const ledger = temporaryLedger();
    const later = sandbox('later', { netns: DB.netns });
    ledger.change((change) => {
      change.putSandbox(DB);
      change.putSandbox(later);
    });
    expect(ledger.read((view) => view.sandboxByNetns(DB.netns)?.name)).toBe('later');
    ledger.change((change) => {
      change.deleteSandbox(DB.id);
    });
    expect(ledger.read((view) => view.sandboxByNetns(DB.netns)?.name)).toBe('later');
  });

  test('are pending while their state is not the settled one', () => {
    const ledger = temporaryLedger();
    const point = endpoint('web', 'db', { state: 'attaching' });
    ledger.changeNetworks((change) => {
      change.putNetwork({ ...WEB, state: 'creating' });
      change.putSandbox({ ...DB, state: 'creating' });
      change.putEndpoint(point);
    });
    expect(ledger.read((view) => view.pending())).toEqual([
      { kind: 'network', id: WEB.id },
      { kind: 'endpoint', id: point.id },
      { kind: 'sandbox', id: DB.id },
    ]);
    ledger.changeNetworks((change) => {
      change.putNetwork(WEB);
      change.putSandbox(DB);
      change.putEndpoint({ ...point, state: 'attached' });
    });
    expect(ledger.read((view) => view.pending())).toEqual([]);
  });
});

describe('small things', () => {
  test('are kept: ephemeral ports, marks, sysctls with their first value', () => {
    const ledger = temporaryLedger();
    ledger.change((change) => {
      change.setLastEphemeralPort('udp', 40000);
      change.setRealized(WEB.id, true);
      change.recordSysctl({ key: 'net.ipv4.ip_forward', before: '0', now: '1' });
      change.recordSysctl({ key: 'net.ipv4.ip_forward', before: '1', now: '2' });
    });
    ledger.read((view) => {
      expect(view.lastEphemeralPort('udp')).toBe(40000);
      expect(view.lastEphemeralPort('tcp')).toBeUndefined();
      expect(view.isRealized(WEB.id)).toBe(true);
      expect(view.changedSysctls()).toEqual([{ key: 'net.ipv4.ip_forward', before: '0', now: '2' }]);
    });
    ledger.change((change) => {
      change.setRealized(WEB.id, false);
    });
    expect(ledger.read((view) => view.isRealized(WEB.id))).toBe(false);
  });
});

describe('a ledger that cannot be used', () => {
  test('says what is wrong: a newer layout', () => {
    const places = temporaryPlaces();
    const environment = openEnvironment(path.join(places.dataRoot, 'ledger'), 'durable');
    environment.transact(() => {
      environment.pairs.put(META.version, 99);
    }, 'commit');
    expect(() => open(places)).toThrow('a newer tsnet wrote it (layout 99, this one knows 1)');
  });

  test.each([
    ['not a database at all', 'hello '.repeat(4000)],
    ['cut off', 'x'],
  ])('says what is wrong: %s', (_what, text) => {
    const places = temporaryPlaces();
    const directory = path.join(places.dataRoot, 'ledger');
    mkdirSync(directory, { recursive: true });
    writeFileSync(path.join(directory, 'data.mdb'), text);
    try {
      open(places);
      throw new Error('it opened');
    } catch (error) {
      expect(error).toBeInstanceOf(TsnetError);
      expect((error as TsnetError).code).toBe('LEDGER');
      expect((error as TsnetError).message).toContain(directory);
      expect((error as TsnetError).message).not.toContain('\n');
    }
  });

  test('says what is wrong: a file where a directory should be', () => {
    const places = temporaryPlaces();
    mkdirSync(path.dirname(places.dataRoot), { recursive: true });
    writeFileSync(places.dataRoot, '');
    expect(() => open(places)).toThrow(`open the ledger in ${places.dataRoot}`);
  });
});
