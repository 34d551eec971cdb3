import { describe, expect, it } from 'vitest';
import { attachmentsOf, parseNetworkOption } from '../../../src/cli/attachments.ts';

describe('--network', () => {
  it('takes a name', () => {
    expect(parseNetworkOption('web')).toEqual({ network: 'web' });
  });

  it('takes the long form', () => {
    expect(
      parseNetworkOption(
        'name=web,ip=10.0.0.7,ip6=fd00::7,alias=a,alias=b,mac-address=02:42:0a:00:00:07,gw-priority=-1,driver-opt=k=v',
      ),
    ).toEqual({
      network: 'web',
      ip: '10.0.0.7',
      ip6: 'fd00::7',
      aliases: ['a', 'b'],
      mac: '02:42:0a:00:00:07',
      gatewayPriority: -1,
      driverOptions: { k: 'v' },
    });
  });

  it.each([
    '',
    'ip=10.0.0.1',
    'name=',
    'name=web,ip',
    'name=web,colour=red',
    'name=web,gw-priority=high',
    'name=web,driver-opt=x',
  ])('%j is refused', (value) => {
    expect(() => parseNetworkOption(value)).toThrow();
  });
});

describe('the networks of a sandbox', () => {
  it('are the default one when none is named', () => {
    expect(attachmentsOf([], { publish: ['80'] })).toEqual([{ network: 'bridge', ports: ['80'] }]);
  });

  it('are attached in order; addresses and ports go to the first', () => {
    expect(attachmentsOf([{ network: 'web' }, { network: 'db' }], { ip: '10.0.0.7', alias: ['www'] })).toEqual([
      { network: 'web', ip: '10.0.0.7', aliases: ['www'] },
      { network: 'db' },
    ]);
  });

  it.each(['none', 'host', 'container:web'])(
    'hand on %s with what is beside it: the engine says what cannot be',
    (network) => {
      expect(attachmentsOf([{ network }], { publish: ['80'] })).toEqual([{ network, ports: ['80'] }]);
    },
  );

  it('take no value twice', () => {
    expect(() => attachmentsOf([{ network: 'web', ip: '10.0.0.7' }], { ip: '10.0.0.8' })).toThrow(/give it once/);
  });
});
