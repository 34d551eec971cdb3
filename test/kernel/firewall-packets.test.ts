/** Who reaches whom through the rules: real packets, IPv4 and IPv6, with both variants of iptables and with nftables. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { icc, isolate, network, publish } from '../unit/firewall/cases.ts';
import { filterBridgedFrames, scene, VARIANTS, type Party, type Scene } from './firewall-scene.ts';

const BRIDGE = { family: 4, bridge: 'tsnet0', subnet: '172.17.0.0/16' } as const;
const BRIDGE6 = { family: 6, bridge: 'tsnet0', subnet: 'fd00:17::/64' } as const;
const WEB = { family: 4, bridge: 'br-web', subnet: '172.18.0.0/16' } as const;
const TO = { to: '172.17.0.2' } as const;

describe.each(VARIANTS)('with %s,', (variant) => {
  describe('two networks and a container with -p 8080:80 -p 5353:53/udp', () => {
    let s: Scene;
    let server: Party;
    let beside: Party;
    let elsewhere: Party;

    beforeAll(async () => {
      s = await scene(variant);
      await s.administrator.dropForwarded();
      await s.bridge('tsnet0', '172.17.0.1/16', 'fd00:17::1/64');
      await s.bridge('br-web', '172.18.0.1/16');
      server = await s.container('server', 'tsnet0', ['172.17.0.2/16', 'fd00:17::2/64']);
      beside = await s.container('beside', 'tsnet0', ['172.17.0.3/16', 'fd00:17::3/64']);
      elsewhere = await s.container('elsewhere', 'br-web', ['172.18.0.2/16']);
      await s.ensure(
        ...[...network(BRIDGE), ...network(BRIDGE6), ...network(WEB)],
        publish(TO),
        publish({ ...TO, protocol: 'udp', hostPort: 5353, containerPort: 53 }),
        publish({ family: 6, hostAddress: '::', to: 'fd00:17::2' }),
      );
      for (const port of [80, 81]) await server.listen(port);
      await server.listen(53, 'udp');
      await s.lan.listen(7000);
      await s.lan.ns.must('ip', ['route', 'add', '172.16.0.0/12', 'via', '192.0.2.1']);
      await s.lan.ns.must('ip', ['route', 'add', 'fd00:17::/64', 'via', '2001:db8::1']);
    });
    afterAll(() => {
      s.lab.close();
    });

    it('containers reach the LAN with the host’s address', async () => {
      expect(await server.dial('192.0.2.9', 7000)).toBe('lan sees 192.0.2.1 at 7000');
      expect(await server.dial('2001:db8::9', 7000)).toBe('lan sees 2001:db8::1 at 7000');
    });

    it('the LAN reaches the published port, with its own address', async () => {
      expect(await s.lan.dial('192.0.2.1', 8080)).toBe('server sees 192.0.2.9 at 80');
      expect(await s.lan.dial('2001:db8::1', 8080)).toBe('server sees 2001:db8::9 at 80');
      expect(await s.lan.dial('192.0.2.1', 5353, 'udp')).toBe('server sees 192.0.2.9 at 53');
    });

    it('the host reaches it by each address of its own, 127.0.0.1 too', async () => {
      expect(await s.local.dial('192.0.2.1', 8080)).toBe('server sees 192.0.2.1 at 80');
      expect(await s.local.dial('2001:db8::1', 8080)).toMatch(/^server sees .* at 80$/);
      expect(await s.local.dial('127.0.0.1', 8080)).toBe('server sees 172.17.0.1 at 80');
      expect(await s.local.dial('127.0.0.1', 5353, 'udp')).toBe('server sees 172.17.0.1 at 53');
    });

    it('a container of another network reaches it by any address of the host', async () => {
      for (const address of ['192.0.2.1', '172.18.0.1', '172.17.0.1']) {
        expect(await elsewhere.dial(address, 8080)).toBe('server sees 172.17.0.1 at 80');
      }
      expect(await elsewhere.dial('192.0.2.1', 5353, 'udp')).toBe('server sees 172.17.0.1 at 53');
    });

    it('a container of the same network reaches it by the host’s address, and the container itself', async () => {
      for (const client of [beside, server]) {
        expect(await client.dial('192.0.2.1', 8080)).toBe('server sees 172.17.0.1 at 80');
        expect(await client.dial('2001:db8::1', 8080)).toBe('server sees fd00:17::1 at 80');
        expect(await client.dial('192.0.2.1', 5353, 'udp')).toBe('server sees 172.17.0.1 at 53');
      }
    });

    it('containers of one network reach each other directly', async () => {
      expect(await beside.dial('172.17.0.2', 81)).toBe('server sees 172.17.0.3 at 81');
      expect(await beside.dial('fd00:17::2', 81)).toBe('server sees fd00:17::3 at 81');
    });

    it('nobody else reaches the container’s own address, at a published port or another', async () => {
      for (const port of [80, 81]) {
        expect(await s.lan.probe('172.17.0.2', port)).toBe('silence');
        expect(await s.lan.probe('fd00:17::2', port)).toBe('silence');
        expect(await elsewhere.probe('172.17.0.2', port)).toBe('silence');
      }
    });

    it('ports that are not published are closed on the host', async () => {
      expect(await s.lan.probe('192.0.2.1', 81)).toBe('refused');
      expect(await s.local.probe('127.0.0.1', 81)).toBe('refused');
    });

    it('what the administrator forbids in the chain that is theirs stays forbidden', async () => {
      await s.administrator.forbid(8080);
      expect(await s.lan.probe('192.0.2.1', 8080)).toBe('silence');
      await s.ensure(...network(BRIDGE), publish(TO));
      expect(await s.lan.probe('192.0.2.1', 8080)).toBe('silence');
      await s.administrator.allowAgain(8080);
      expect(await s.lan.dial('192.0.2.1', 8080)).toBe('server sees 192.0.2.9 at 80');
    });

    it('a flush of everything is mended, isolation included', async () => {
      await s.administrator.flushEverything();
      expect(await s.lan.probe('192.0.2.1', 8080)).toBe('refused');
      await s.ensure(...network(BRIDGE), publish(TO));
      expect(await s.lan.dial('192.0.2.1', 8080)).toBe('server sees 192.0.2.9 at 80');
      expect(await s.lan.probe('172.17.0.2', 80)).toBe('silence');
      await s.ensure(
        ...[...network(BRIDGE6), ...network(WEB)],
        publish({ ...TO, protocol: 'udp', hostPort: 5353, containerPort: 53 }),
        publish({ family: 6, hostAddress: '::', to: 'fd00:17::2' }),
      );
    });

    it('a withdrawn port is closed', async () => {
      await s.ensure(publish({ ...TO, hostPort: 8090 }));
      expect(await s.lan.dial('192.0.2.1', 8090)).toBe('server sees 192.0.2.9 at 80');
      await s.firewall.remove([publish({ ...TO, hostPort: 8090 })]);
      expect(await s.lan.probe('192.0.2.1', 8090)).toBe('refused');
      expect(await s.lan.dial('192.0.2.1', 8080)).toBe('server sees 192.0.2.9 at 80');
    });

    it('all of it holds where bridged frames cross the firewall (br_netfilter)', async ({ skip }) => {
      if (!(await filterBridgedFrames(s.host, 'on'))) skip('this kernel has no br_netfilter');
      expect(await beside.dial('172.17.0.2', 81)).toBe('server sees 172.17.0.3 at 81');
      expect(await beside.dial('fd00:17::2', 81)).toBe('server sees fd00:17::3 at 81');
      for (const client of [beside, server]) {
        expect(await client.dial('192.0.2.1', 8080)).toBe('server sees 172.17.0.1 at 80');
        expect(await client.dial('2001:db8::1', 8080)).toBe('server sees fd00:17::1 at 80');
      }
      expect(await s.lan.dial('192.0.2.1', 8080)).toBe('server sees 192.0.2.9 at 80');
      expect(await elsewhere.probe('172.17.0.2', 81)).toBe('silence');
      await filterBridgedFrames(s.host, 'off');
    });
  });

  describe('a host’s loopback addresses', () => {
    let s: Scene;
    let server: Party;
    beforeAll(async () => {
      s = await scene(variant);
      await s.bridge('tsnet0', '172.17.0.1/16');
      server = await s.container('server', 'tsnet0', ['172.17.0.2/16']);
      await server.listen(80);
      await s.local.listen(9999);
      // A guest and a neighbour that mean the host's 127.0.0.1 when they say so.
      for (const [ns, link, via] of [
        [server.ns, 'eth0', '172.17.0.1'],
        [s.lan.ns, 'eth0', '192.0.2.1'],
      ] as const) {
        await ns.must('sysctl', ['-qw', `net.ipv4.conf.${link}.route_localnet=1`]);
        await ns.must('ip', ['address', 'delete', '127.0.0.1/8', 'dev', 'lo']);
        await ns.must('ip', ['route', 'add', '127.0.0.0/8', 'via', via, 'dev', link]);
      }
      await s.host.must('sysctl', ['-qw', 'net.ipv4.conf.eth0.route_localnet=1']);
    });
    afterAll(() => {
      s.lab.close();
    });

    it('are closed to containers', async () => {
      expect(await server.dial('127.0.0.1', 9999)).toMatch(/^host sees/);
      await s.ensure(...network(BRIDGE));
      expect(await server.probe('127.0.0.1', 9999)).toBe('silence');
    });

    it('are closed to the LAN at ports published there, and open to the host', async () => {
      const port = publish({ ...TO, hostAddress: '127.0.0.1' });
      await s.ensure(...network(BRIDGE), port);
      expect(await s.local.dial('127.0.0.1', 8080)).toBe('server sees 172.17.0.1 at 80');
      expect(await s.lan.probe('127.0.0.1', 8080)).toBe('silence');
      expect(await s.lan.probe('192.0.2.1', 8080)).toBe('refused');
      // Without the rule for it, the neighbour would be in.
      await s.administrator.flushLoopbackGuard();
      expect(await s.lan.dial('127.0.0.1', 8080)).toMatch(/^server sees/);
    });
  });
});

describe.each(VARIANTS)('with %s, a network', (variant) => {
  let s: Scene;
  let server: Party;
  let beside: Party;

  async function stage(isolated?: 'isolated'): Promise<void> {
    s = await scene(variant);
    await s.bridge('tsnet0', '172.17.0.1/16', 'fd00:17::1/64');
    server = await s.container('server', 'tsnet0', ['172.17.0.2/16', 'fd00:17::2/64'], isolated);
    beside = await s.container('beside', 'tsnet0', ['172.17.0.3/16', 'fd00:17::3/64'], isolated);
    for (const port of [80, 81]) await server.listen(port);
    await s.lan.listen(7000);
    await s.lan.ns.must('ip', ['route', 'add', '172.17.0.0/16', 'via', '192.0.2.1']);
    await s.lan.ns.must('ip', ['route', 'add', 'fd00:17::/64', 'via', '2001:db8::1']);
  }

  it('with icc=false lets containers reach each other at published ports only', async () => {
    await stage('isolated');
    try {
      const closed = icc(BRIDGE, { allow: false });
      const nat = network(BRIDGE).filter(({ kind }) => kind === 'masquerade' || kind === 'hairpin');
      await s.ensure(isolate(BRIDGE), closed, ...nat, publish(TO));
      expect(await beside.probe('172.17.0.2', 80)).toBe('silence');
      expect(await beside.dial('192.0.2.1', 8080)).toBe('server sees 172.17.0.1 at 80');
      expect(await beside.dial('192.0.2.9', 7000)).toBe('lan sees 192.0.2.1 at 7000');
      expect(await s.lan.dial('192.0.2.1', 8080)).toBe('server sees 192.0.2.9 at 80');
    } finally {
      s.lab.close();
    }
  });

  it('with icc=false and br_netfilter needs no isolated bridge ports', async ({ skip }) => {
    await stage();
    try {
      if (!(await filterBridgedFrames(s.host, 'on'))) skip('this kernel has no br_netfilter');
      const nat = network(BRIDGE).filter(({ kind }) => kind === 'masquerade' || kind === 'hairpin');
      expect(await beside.dial('172.17.0.2', 80)).toBe('server sees 172.17.0.3 at 80');
      await s.ensure(isolate(BRIDGE), icc(BRIDGE, { allow: false }), ...nat, publish(TO));
      expect(await beside.probe('172.17.0.2', 80)).toBe('silence');
      expect(await beside.dial('192.0.2.1', 8080)).toBe('server sees 172.17.0.1 at 80');
    } finally {
      s.lab.close();
    }
  });

  it('that is internal has no way in and no way out', async () => {
    await stage();
    try {
      // Whether a packet came is asked at the other end: an answer would not come back anyway.
      await s.lan.listen(7000, 'udp');
      await server.listen(53, 'udp');
      const sendBothWays = async (): Promise<[number, number]> => {
        for (const address of ['192.0.2.9', '2001:db8::9']) await server.probe(address, 7000, 'udp');
        for (const address of ['172.17.0.2', 'fd00:17::2']) await s.lan.probe(address, 53, 'udp');
        return [await s.lan.heard(7000), await server.heard(53)];
      };
      expect(await sendBothWays()).toEqual([2, 2]);
      await s.ensure({ ...BRIDGE, kind: 'internal' }, icc(BRIDGE, { internal: true }));
      await s.ensure({ ...BRIDGE6, kind: 'internal' }, icc(BRIDGE6, { internal: true }));
      expect(await sendBothWays()).toEqual([2, 2]);
      // Both ways are closed without the help of what guards the addresses.
      await s.administrator.flushGuard();
      expect(await sendBothWays()).toEqual([2, 2]);
      expect(await beside.dial('172.17.0.2', 80)).toBe('server sees 172.17.0.3 at 80');
      expect(await beside.dial('fd00:17::2', 80)).toBe('server sees fd00:17::3 at 80');
    } finally {
      s.lab.close();
    }
  });

  it('maps the i-th port of a range to the i-th port of the container', async () => {
    await stage();
    try {
      await s.ensure(
        ...[...network(BRIDGE), ...network(BRIDGE6)],
        publish({ ...TO, hostPort: 9000, containerPort: 7000, count: 4 }),
        publish({ ...TO, protocol: 'udp', hostPort: 9000, containerPort: 7000, count: 4 }),
        publish({ ...TO, protocol: 'udp', hostPort: 7000, containerPort: 7000, count: 4 }),
        publish({ family: 6, hostAddress: '::', to: 'fd00:17::2', hostPort: 9000, containerPort: 7000, count: 4 }),
        publish({ family: 6, hostAddress: '::', to: 'fd00:17::2', hostPort: 7000, containerPort: 7000, count: 4 }),
      );
      for (const port of [7000, 7001, 7002, 7003]) {
        await server.listen(port);
        await server.listen(port, 'udp');
      }
      for (const i of [3, 0, 2, 1, 0, 3]) {
        expect(await s.lan.dial('192.0.2.1', 9000 + i)).toBe(`server sees 192.0.2.9 at ${7000 + i}`);
        expect(await s.lan.dial('192.0.2.1', 9000 + i, 'udp')).toBe(`server sees 192.0.2.9 at ${7000 + i}`);
        expect(await s.lan.dial('192.0.2.1', 7000 + i, 'udp')).toBe(`server sees 192.0.2.9 at ${7000 + i}`);
        expect(await s.local.dial('127.0.0.1', 9000 + i)).toBe(`server sees 172.17.0.1 at ${7000 + i}`);
        expect(await s.lan.dial('2001:db8::1', 9000 + i)).toBe(`server sees 2001:db8::9 at ${7000 + i}`);
        expect(await s.lan.dial('2001:db8::1', 7000 + i)).toBe(`server sees 2001:db8::9 at ${7000 + i}`);
        expect(await server.dial('192.0.2.1', 9000 + i)).toBe(`server sees 172.17.0.1 at ${7000 + i}`);
      }
      expect(await s.lan.probe('192.0.2.1', 9004)).toBe('refused');
      expect(await s.lan.probe('192.0.2.1', 8999)).toBe('refused');
    } finally {
      s.lab.close();
    }
  });

  it('in gateway mode routed opens published ports, and ping, at the containers’ own addresses', async () => {
    await stage();
    try {
      const routed = isolate(BRIDGE, { allowDirect: true, icmp: true });
      await s.ensure(routed, icc(BRIDGE), publish({ ...TO, mode: 'routed' }));
      expect(await s.lan.dial('172.17.0.2', 80)).toBe('server sees 192.0.2.9 at 80');
      expect(await s.lan.probe('172.17.0.2', 81)).toBe('silence');
      expect(await s.lan.probe('192.0.2.1', 8080)).toBe('refused');
      expect(await server.dial('192.0.2.9', 7000)).toBe('lan sees 172.17.0.2 at 7000');
      await s.lan.ns.must('ping', ['-c', '1', '-W', '2', '172.17.0.2']);
    } finally {
      s.lab.close();
    }
  });

  it('in gateway mode nat-unprotected opens every port', async () => {
    await stage();
    try {
      await s.ensure(isolate(BRIDGE, { allowDirect: true, unprotected: true }), icc(BRIDGE));
      expect(await s.lan.dial('172.17.0.2', 81)).toBe('server sees 192.0.2.9 at 81');
    } finally {
      s.lab.close();
    }
  });

  it('trusts the links it is told to, at published ports', async () => {
    await stage();
    try {
      const rest = network(BRIDGE).filter(({ kind }) => kind !== 'isolate');
      await s.ensure(isolate(BRIDGE, { trustedLinks: ['eth9'] }), ...rest, publish({ ...TO, direct: true }));
      expect(await s.lan.probe('172.17.0.2', 80)).toBe('silence');
      await s.ensure(isolate(BRIDGE, { trustedLinks: ['eth0'] }));
      expect(await s.lan.dial('172.17.0.2', 80)).toBe('server sees 192.0.2.9 at 80');
      expect(await s.lan.probe('172.17.0.2', 81)).toBe('silence');
    } finally {
      s.lab.close();
    }
  });

  it('leaves by the address it is told to', async () => {
    await stage();
    try {
      await s.host.must('ip', ['address', 'add', '192.0.2.5/24', 'dev', 'eth0']);
      await s.ensure(isolate(BRIDGE), icc(BRIDGE), { ...BRIDGE, kind: 'masquerade', to: '192.0.2.5' });
      expect(await server.dial('192.0.2.9', 7000)).toBe('lan sees 192.0.2.5 at 7000');
    } finally {
      s.lab.close();
    }
  });
});
