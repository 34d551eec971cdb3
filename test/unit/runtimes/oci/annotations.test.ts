import { describe, expect, it } from 'vitest';
import { wishOf } from '../../../../src/runtimes/oci/annotations.ts';
import { readState } from '../../../../src/runtimes/oci/container-state.ts';
import { hookText } from '../../../../src/runtimes/oci/hook-file.ts';

describe('annotations', () => {
  it('ask for nothing unless they are ours', () => {
    expect(wishOf({ 'io.kubernetes.cri-o.Name': 'x', tsnet: 'y' })).toBeUndefined();
  });

  it('give the first network what names none, and aliases to all', () => {
    expect(
      wishOf({
        'tsnet.networks': ' web, db ,web',
        'tsnet.publish': '8080:80,53:53/udp,db=5432:5432',
        'tsnet.ip': '10.77.0.9,fd00::9,db=10.78.0.9',
        'tsnet.aliases': 'www,db=primary',
        'tsnet.mac': '02:00:00:00:00:01',
        'tsnet.interface': 'db=data0',
        'tsnet.name': 'box',
      }),
    ).toEqual({
      name: 'box',
      attach: [
        {
          network: 'web',
          ip: '10.77.0.9',
          ip6: 'fd00::9',
          mac: '02:00:00:00:00:01',
          ports: ['8080:80', '53:53/udp'],
          aliases: ['www'],
        },
        {
          network: 'db',
          ip: '10.78.0.9',
          interfaceName: 'data0',
          ports: ['5432:5432'],
          aliases: ['www', 'primary'],
        },
      ],
    });
  });

  it('are refused where they cannot be meant', () => {
    const wrong: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
      [{ 'tsnet.ip': '10.0.0.1' }, /tsnet\.networks: it names no network/],
      [{ 'tsnet.networks': ',' }, /names no network/],
      [{ 'tsnet.networks': 'web', 'tsnet.publsh': '80' }, /did you mean tsnet\.publish\?/],
      [{ 'tsnet.networks': 'web', 'tsnet.ip': 'db=10.0.0.1' }, /db is not one of tsnet\.networks/],
      [{ 'tsnet.networks': 'web', 'tsnet.ip': '10.0.0.1,10.0.0.2' }, /more than one for network web/],
    ];
    for (const [annotations, why] of wrong) expect(() => wishOf(annotations)).toThrow(why);
  });
});

describe('the state of a container', () => {
  const nothing = (): string => {
    throw new Error('ENOENT');
  };

  it('has no pid once it has stopped, however the runtime says so', () => {
    const runc = '{"id":"c1","status":"stopped","bundle":"/b"}';
    const crun = '{"id":"c1","status":"stopped","pid":0,"bundle":"/b"}';
    for (const text of [runc, crun]) {
      expect(readState(text, nothing)).toEqual({ id: 'c1', status: 'stopped', annotations: {} });
    }
  });

  it('has the annotations of the bundle where the runtime hands none over', () => {
    const file = (path: string): string =>
      path === '/b/config.json' ? '{"annotations":{"tsnet.networks":"web"}}' : '';
    const given = '{"id":"c1","status":"creating","pid":7,"bundle":"/b","annotations":{"other":"x"}}';
    expect(readState(given, file)).toMatchObject({ pid: 7, annotations: { 'tsnet.networks': 'web' } });
    expect(readState(given, nothing)).toMatchObject({ annotations: {} });
    expect(readState(given.replace('other', 'tsnet.ip'), file)).toMatchObject({ annotations: { 'tsnet.ip': 'x' } });
  });

  it('is refused where it is none', () => {
    for (const text of ['', 'null', '[]', '{}', '{"id":"c1"}', '{"id":7,"status":"x"}']) {
      expect(() => readState(text, nothing)).toThrow(/^oci-hook: .*createRuntime and poststop/);
    }
  });
});

describe('the file of the hook', () => {
  it('is of version 1.0.0, for containers with annotations of ours', () => {
    const text = hookText({ command: ['/usr/bin/node', '/x/tsnet.js', 'oci-hook'], env: { PATH: '/bin' } });
    expect(JSON.parse(text)).toEqual({
      version: '1.0.0',
      hook: {
        path: '/usr/bin/node',
        args: ['/usr/bin/node', '/x/tsnet.js', 'oci-hook'],
        env: ['PATH=/bin'],
        timeout: 60,
      },
      when: { annotations: { '^tsnet\\.': '.*' } },
      stages: ['createRuntime', 'poststop'],
    });
  });
});
