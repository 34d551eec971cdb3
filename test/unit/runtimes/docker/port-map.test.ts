import { describe, expect, it } from 'vitest';
import { publishedPorts } from '../../../../src/runtimes/docker/port-map.ts';

const binding = (port: number, hostPort: number, more: object = {}) => ({
  Proto: 6,
  IP: '',
  Port: port,
  HostIP: '',
  HostPort: hostPort,
  HostPortEnd: hostPort,
  ...more,
});
const ports = (...bindings: readonly object[]): string[] => publishedPorts({ 'com.docker.network.portmap': bindings });

describe('the port bindings of Docker', () => {
  it('are ports as `tsnet publish` takes them', () => {
    expect(ports(binding(80, 8080))).toEqual(['8080:80/tcp']);
    expect(ports(binding(53, 5353, { Proto: 17, HostIP: '127.0.0.1' }))).toEqual(['127.0.0.1:5353:53/udp']);
    expect(ports(binding(443, 8443, { HostIP: '::1' }))).toEqual(['[::1]:8443:443/tcp']);
    expect(ports(binding(5060, 5060, { Proto: 132 }))).toEqual(['5060:5060/sctp']);
  });

  it('get a free host port where none is named, or one of a range', () => {
    expect(ports(binding(80, 0))).toEqual(['80/tcp']);
    expect(ports(binding(80, 8000, { HostPortEnd: 8010 }))).toEqual(['8000-8010:80/tcp']);
  });

  it('are ranges again, in whatever order Docker names them', () => {
    expect(ports(binding(82, 8082), binding(80, 8080), binding(81, 8081))).toEqual(['8080-8082:80-82/tcp']);
    expect(ports(binding(80, 8080), binding(81, 9081))).toEqual(['8080:80/tcp', '9081:81/tcp']);
    expect(ports(binding(80, 8080), binding(81, 8081, { Proto: 17 }))).toEqual(['8080:80/tcp', '8081:81/udp']);
    expect(ports(binding(80, 8080), binding(80, 8081))).toEqual(['8080:80/tcp', '8081:80/tcp']);
  });

  it('are none where there are none', () => {
    expect(publishedPorts({})).toEqual([]);
    expect(publishedPorts({ 'com.docker.network.portmap': null })).toEqual([]);
  });

  it('are refused where they are no ports', () => {
    expect(() => ports(binding(80, 70_000))).toThrow(/HostPort 70000: expected a port/);
    expect(() => ports(binding(80, 80, { Proto: 1 }))).toThrow(/protocol 1 cannot be published/);
    expect(() => ports(binding(0, 80))).toThrow(/port 0 cannot be published/);
    expect(() => ports(binding(80, 80, { HostIP: 'here' }))).toThrow(/here/);
    expect(() => publishedPorts({ 'com.docker.network.portmap': 'all' })).toThrow(/a list of objects/);
  });
});
