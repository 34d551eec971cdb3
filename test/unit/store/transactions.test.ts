import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { LeaseHolder } from '../../../src/model/records.ts';
import { openEnvironment } from '../../../src/store/environment.ts';
import { META } from '../../../src/store/keys.ts';
import { endpoint, network, sandbox } from './records.ts';
import { open, temporaryLedger, temporaryPlaces } from './temporary-ledger.ts';

const WEB = network('web');
const HOLDER: LeaseHolder = { kind: 'endpoint', endpointId: 'x' };

describe('a change', () => {
  test('that throws leaves nothing, and its error comes back as it was', () => {
    const ledger = temporaryLedger();
    ledger.changeNetworks((change) => {
      change.putNetwork(WEB);
      change.holdAddress(WEB.id, '10.0.0.9', HOLDER, 'dynamic');
    });
    const reason = new Error('changed my mind');
    for (const how of ['changeNetworks', 'rehearse'] as const) {
      expect(() => {
        ledger[how]((change) => {
          change.deleteNetwork(WEB.id);
          change.putNetwork(network('other'));
          change.putSandbox(sandbox('db'));
          change.releaseAddress(WEB.id, '10.0.0.9');
          change.holdAddress(WEB.id, '10.0.0.2', HOLDER, 'dynamic');
          throw reason;
        });
      }).toThrow(reason);
    }
    expect(() => {
      ledger.change((change) => {
        change.putEndpoint(endpoint('web', 'db'));
        throw reason;
      });
    }).toThrow(reason);
    ledger.read((view) => {
      expect(view.networks()).toEqual([WEB]);
      expect(view.sandboxes()).toEqual([]);
      expect(view.endpoints()).toEqual([]);
      expect(view.leases(WEB.id).map(({ address }) => address)).toEqual(['10.0.0.9']);
      expect(view.leasesFor(WEB.id, 4).last).toBe(0x0a000009n);
    });
  });

  test('sees its own writes, and answers', () => {
    const ledger = temporaryLedger();
    const seen = ledger.changeNetworks((change) => {
      change.putNetwork(WEB);
      change.putEndpoint(endpoint('web', 'db'));
      change.holdAddress(WEB.id, '10.0.0.2', HOLDER, 'dynamic');
      return [change.networkByName('web')?.name, change.hasEndpoints(WEB.id), change.leases(WEB.id).length];
    });
    expect(seen).toEqual(['web', true, 1]);
  });

  test('that is rehearsed answers the same and writes nothing', () => {
    const ledger = temporaryLedger();
    const seen = ledger.rehearse((change) => {
      change.putNetwork(WEB);
      change.putSandbox(sandbox('db'));
      return [change.networks().length, change.sandboxes().length];
    });
    expect(seen).toEqual([1, 1]);
    expect(ledger.read((view) => [view.networks(), view.sandboxes()])).toEqual([[], []]);
  });

  test('within a change is refused instead of waiting for itself; reading is not', () => {
    const ledger = temporaryLedger();
    ledger.change((change) => {
      change.putSandbox(sandbox('db'));
      expect(() => ledger.change(() => 1)).toThrow('being changed already');
      expect(ledger.read((view) => view.sandboxByName('db')?.name)).toBe('db');
    });
    expect(ledger.change(() => 1)).toBe(1);
  });
});

describe('two handles', () => {
  test('see each other within one turn of the event loop', () => {
    const places = temporaryPlaces();
    const a = open(places);
    const b = open(places);
    for (let round = 0; round < 20; round++) {
      expect(b.read((view) => [view.networks().length, view.sandboxes().length])).toEqual([round, round]);
      a.changeNetworks((change) => {
        change.putNetwork(network(`n${round}`));
      });
      expect(b.change((change) => change.networks().length)).toBe(round + 1);
      b.change((change) => {
        change.putSandbox(sandbox(`s${round}`));
      });
      expect(a.change((change) => change.sandboxes().length)).toBe(round + 1);
      expect(a.read((view) => [view.networks().length, view.sandboxes().length])).toEqual([round + 1, round + 1]);
    }
  });

  test('see each other from the moment they are opened', () => {
    const places = temporaryPlaces();
    const a = open(places);
    const b = open(places);
    a.changeNetworks((change) => {
      change.putNetwork(WEB);
      change.putSandbox(sandbox('db'));
    });
    expect(b.read((view) => [view.networks().length, view.sandboxes().length])).toEqual([1, 1]);
  });

  test('of one process keep the lock that tells others that the files are in use', () => {
    const places = temporaryPlaces();
    open(places);
    open(places).read((view) => view.networks());
    open(places).change(() => undefined);
    const { ino } = statSync(path.join(places.dataRoot, 'ledger', 'lock.mdb'));
    // "POSIX ADVISORY READ pid device:inode first last": LMDB marks the first byte.
    const mark = new RegExp(` READ +${process.pid} \\S+:${ino} 0 0$`, 'm');
    expect(readFileSync('/proc/locks', 'utf8')).toMatch(mark);
  });

  test('have the same installation id, which outlives them', async () => {
    const places = temporaryPlaces();
    const first = open(places);
    const id = first.read((view) => view.installationId());
    expect(open(places).read((view) => view.installationId())).toBe(id);
    await first.close();
    expect(open(places).read((view) => view.installationId())).toBe(id);
  });
});

describe('a reboot', () => {
  test('empties what the kernel forgot, and keeps the networks', async () => {
    const places = temporaryPlaces();
    const before = open({ ...places, bootId: 'boot-1' });
    before.changeNetworks((change) => {
      change.putNetwork(WEB);
      change.putSandbox(sandbox('db'));
      change.putEndpoint(endpoint('web', 'db'));
      change.holdAddress(WEB.id, '10.0.0.2', HOLDER, 'dynamic');
      change.setRealized(WEB.id, true);
    });
    await before.close();
    const after = open({ ...places, bootId: 'boot-2' });
    after.read((view) => {
      expect(view.networks()).toEqual([WEB]);
      expect(view.sandboxes()).toEqual([]);
      expect(view.endpointsOfNetwork(WEB.id)).toEqual([]);
      expect(view.leases(WEB.id)).toEqual([]);
      expect(view.isRealized(WEB.id)).toBe(false);
    });
    expect(() => statSync(path.join(places.execRoot, 'ledger', 'boot-1'))).toThrow('ENOENT');
  });

  test('that did not happen keeps everything', async () => {
    const places = temporaryPlaces();
    const before = open(places);
    before.change((change) => {
      change.putSandbox(sandbox('db'));
    });
    await before.close();
    expect(open(places).read((view) => view.sandboxByName('db')?.name)).toBe('db');
  });
});

describe('a crash between the two commits of one change', () => {
  test('is seen by readers as the networks that were committed, and mended by the next change', () => {
    const places = { ...temporaryPlaces(), bootId: 'boot' };
    const ledger = open(places);
    ledger.changeNetworks((change) => {
      change.putNetwork(WEB);
    });
    // What the first commit leaves when the second never comes.
    const networks = openEnvironment(path.join(places.dataRoot, 'ledger'), 'durable');
    const count = networks.pairs.get(META.generation) as number;
    networks.transact(() => {
      networks.pairs.put(META.generation, count + 1);
    }, 'commit');
    expect(ledger.read((view) => view.networks())).toEqual([WEB]);
    // Behind the gate, where no other change can be: not even one of our own.
    expect(() => {
      ledger.read(() => {
        ledger.change(() => undefined);
      });
    }).toThrow('being changed already');
    ledger.change(() => undefined);
    expect(ledger.read(() => ledger.change(() => 'no gate'))).toBe('no gate');
    const endpoints = openEnvironment(path.join(places.execRoot, 'ledger', 'boot', 'endpoints'), 'volatile');
    expect(endpoints.pairs.get(META.generation)).toBe(count + 1);
    ledger.changeNetworks((change) => {
      change.deleteNetwork(WEB.id);
    });
    expect(ledger.read((view) => view.networks())).toEqual([]);
  });
});

describe('the files', () => {
  test("are the owner's alone, their directories' parents are everybody's to pass", () => {
    const places = temporaryPlaces();
    open(places);
    const mode = (...parts: string[]): string => (statSync(path.join(...parts)).mode & 0o777).toString(8);
    expect(mode(places.dataRoot, 'ledger')).toBe('700');
    expect(mode(places.dataRoot, 'ledger', 'data.mdb')).toBe('600');
    expect(mode(places.dataRoot, 'ledger', 'lock.mdb')).toBe('600');
    expect(mode(places.execRoot)).toBe('755');
  });
});
