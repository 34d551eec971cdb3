import { describe, expect, it } from 'vitest';
import { openDhcpRenewal } from '../../../src/daemon/dhcp-renewal.ts';
import type { Follower } from '../../../src/daemon/follower.ts';
import type { LeasedEndpoint, Renewal } from '../../../src/engine/dhcp-renewal.ts';
import { TsnetError } from '../../../src/model/error.ts';

const MINUTE = 60_000;

/** Leases of an hour, a clock that is wound by hand, and a server that answers or does not. */
class Stage {
  nowMs = 0;
  answers = true;
  moves = false;
  readonly held = new Map<string, LeasedEndpoint>();
  readonly asked: string[] = [];
  /** Whose leases were read. */
  readonly read: string[] = [];
  readonly events: string[] = [];
  readonly warnings: string[] = [];
  readonly follower: Follower;
  #timer: { readonly atMs: number; readonly work: () => void } | undefined;

  constructor() {
    this.follower = openDhcpRenewal({
      leases: (only) => {
        this.read.push(only === undefined ? 'all' : [...only].join());
        return [...this.held.values()].filter(({ endpoint }) => only?.has(endpoint.sandboxId) ?? true);
      },
      renew: (id) => this.#renew(id),
      clock: {
        now: () => this.nowMs,
        after: (ms, work) => {
          const timer = { atMs: this.nowMs + ms, work };
          this.#timer = timer;
          return () => {
            if (this.#timer === timer) this.#timer = undefined;
          };
        },
      },
      log: {
        info: () => undefined,
        warn: (_fields, message) => void this.warnings.push(message),
        error: (_fields, message) => void this.warnings.push(message),
      },
      onEvent: (what, { sandbox }) => void this.events.push(`${String(this.nowMs / MINUTE)} ${what} ${sandbox}`),
    });
  }

  lease(id: string): void {
    const at = this.nowMs;
    this.held.set(id, {
      endpoint: { id, sandboxId: `${id}-sandbox` },
      network: { name: 'lan' },
      sandbox: id,
      address: '192.168.22.50',
      lease: {
        clientId: 'ff',
        server: '192.168.22.1',
        serverMac: '02:00:00:00:00:99',
        obtainedAtMs: at,
        renewAtMs: at + 30 * MINUTE,
        rebindAtMs: at + 52 * MINUTE,
        expiresAtMs: at + 60 * MINUTE,
      },
    } as LeasedEndpoint);
  }

  #renew(id: string): Promise<Renewal> {
    this.asked.push(`${String(this.nowMs / MINUTE)} ${id}`);
    const former = this.held.get(id);
    if (former === undefined) return Promise.resolve({ kind: 'gone' });
    if (!this.answers) return Promise.reject(new TsnetError('TIMEOUT', 'nobody answers'));
    this.lease(id);
    return Promise.resolve(
      this.moves
        ? { kind: 'moved', from: '192.168.22.50', to: '192.168.22.51', lease: former.lease }
        : { kind: 'renewed', lease: former.lease },
    );
  }

  /** Winds the clock, every timer on the way run at its time. */
  async windTo(minute: number): Promise<void> {
    for (;;) {
      await new Promise(setImmediate);
      const timer = this.#timer;
      if (timer === undefined || timer.atMs > minute * MINUTE) break;
      this.#timer = undefined;
      this.nowMs = timer.atMs;
      timer.work();
    }
    this.nowMs = minute * MINUTE;
  }
}

describe('the renewal of DHCP leases', () => {
  it('asks at T1, time after time, each lease at its own', async () => {
    const stage = new Stage();
    stage.lease('tv');
    await stage.follower.sync();
    await stage.windTo(10);
    stage.lease('box');
    await stage.follower.sync();
    await stage.windTo(75);
    expect(stage.asked).toEqual(['30 tv', '40 box', '60 tv', '70 box']);
    expect(stage.warnings).toEqual([]);
  });

  it('asks again after half of what is left, at T2, and at the expiry, which it tells once', async () => {
    const stage = new Stage();
    stage.answers = false;
    stage.lease('tv');
    await stage.follower.sync();
    await stage.windTo(62);
    const minutes = stage.asked.map((line) => Number(line.split(' ')[0]));
    expect(minutes.slice(0, 4)).toEqual([30, 41, 46.5, 49.25]);
    expect(minutes).toContain(52);
    expect(minutes).toContain(60);
    expect(minutes.slice(-2)).toEqual([61, 62]);
    expect(stage.warnings).toEqual([
      expect.stringContaining('could not be renewed'),
      expect.stringContaining('has expired'),
    ]);
    expect(stage.events.filter((event) => event.includes('expired'))).toEqual(['60 expired tv']);
    stage.answers = true;
    await stage.windTo(70);
    expect(stage.events.at(-1)).toBe('63 renewed tv');
  });

  it('says when a container has another address', async () => {
    const stage = new Stage();
    stage.moves = true;
    stage.lease('tv');
    await stage.follower.sync();
    await stage.windTo(31);
    expect(stage.events).toEqual(['30 moved tv']);
    expect(stage.warnings).toEqual([expect.stringContaining('gave tv another address: 192.168.22.51')]);
  });

  it('forgets who has gone, renews at once what is overdue, and asks nobody once it is closed', async () => {
    const stage = new Stage();
    stage.lease('tv');
    stage.lease('box');
    stage.held.delete('box');
    // A daemon that starts late, or a machine that slept.
    stage.nowMs = 45 * MINUTE;
    await stage.follower.sync();
    expect(stage.asked).toEqual(['45 tv']);
    await stage.windTo(46);
    await stage.follower.close();
    await stage.windTo(500);
    expect(stage.asked).toEqual(['45 tv']);
  });

  it('reads only what has changed, and keeps the others in mind', async () => {
    const stage = new Stage();
    stage.lease('tv');
    stage.lease('box');
    await stage.follower.sync();
    stage.held.delete('box');
    await stage.windTo(10);
    stage.lease('radio');
    await stage.follower.sync(new Set(['box-sandbox', 'radio-sandbox']));
    expect(stage.read).toEqual(['all', 'box-sandbox,radio-sandbox']);
    await stage.windTo(41);
    expect(stage.asked).toEqual(['30 tv', '40 radio']);
  });
});
