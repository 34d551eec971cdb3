import { describe, expect, it } from 'vitest';
import { dhcpClient } from '../../../src/dhcp/identity.ts';
import { parseMac } from '../../../src/model/mac.ts';

const TV = { installationId: 'a'.repeat(64), network: 'lan', sandbox: 'tv' };

describe('who a container is to DHCP servers', () => {
  it('follows from installation, network and name, and from nothing else', () => {
    expect(dhcpClient(TV)).toEqual(dhcpClient({ ...TV }));
    for (const other of [{ sandbox: 'box' }, { network: 'guests' }, { installationId: 'b'.repeat(64) }]) {
      const { mac, clientId } = dhcpClient({ ...TV, ...other });
      expect(mac).not.toBe(dhcpClient(TV).mac);
      expect(clientId).not.toBe(dhcpClient(TV).clientId);
    }
  });

  it('is a MAC that a link may have, and a client identifier of RFC 4361 with a DUID of RFC 6355', () => {
    const { mac, clientId } = dhcpClient(TV);
    expect(parseMac(mac)).toBe(mac);
    expect(mac).toMatch(/^0a(:[0-9a-f]{2}){5}$/);
    expect(clientId).toMatch(/^ff[0-9a-f]{8}0004[0-9a-f]{32}$/);
  });

  it('keeps the client identifier when a MAC is asked for', () => {
    expect(dhcpClient(TV, '02:00:00:00:00:01')).toEqual({ ...dhcpClient(TV), mac: '02:00:00:00:00:01' });
  });

  it('tells its name only where a host may have it', () => {
    expect(dhcpClient(TV).hostName).toBe('tv');
    expect(dhcpClient({ ...TV, sandbox: 'my_tv.living' }).hostName).toBeUndefined();
  });
});
