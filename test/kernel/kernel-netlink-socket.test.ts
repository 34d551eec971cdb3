import { afterEach, beforeEach, expect, test } from 'vitest';
import { libc } from '../../src/kernel/libc.ts';
import { createBridge, deleteLink, dumpLinks, getLink, parseLink, setLink } from '../../src/kernel/link-message.ts';
import { NetlinkSocket } from '../../src/kernel/netlink-socket.ts';

let socket: NetlinkSocket;
beforeEach(() => {
  libc();
  socket = new NetlinkSocket('route');
});
afterEach(() => socket.close());

test('a batch larger than the receive buffer holds is answered one by one, in order', async () => {
  const outcomes = await socket.batch(
    Array.from({ length: 2000 }, (_, index) => getLink(index % 2 === 0 ? 'lo' : 'no')),
  );
  expect(outcomes.map(({ refusal }) => refusal?.code ?? 'ok')).toEqual(
    outcomes.map((_, index) => (index % 2 === 0 ? 'ok' : 'ENODEV')),
  );
});

test('a refused request does not stop those behind it', async () => {
  const outcomes = await socket.batch([getLink('no'), setLink('lo', { up: true }), getLink('lo')]);
  expect(outcomes.map(({ refusal }) => refusal?.code)).toEqual(['ENODEV', undefined, undefined]);
});

test("a refusal has errno, code and the kernel's own words", async () => {
  const [outcome] = await socket.batch([createBridge({ name: 'tskbad', mtu: 1 << 30 })]);
  expect(outcome?.refusal).toMatchObject({ errno: 22, code: 'EINVAL', explanation: 'mtu greater than device maximum' });
});

test('dumps asked for at the same time take turns', async () => {
  const names = await Promise.all(
    Array.from({ length: 8 }, async () => (await socket.dump(dumpLinks())).map((reply) => parseLink(reply).name)),
  );
  for (const seen of names) expect(seen).toContain('lo');
});

test('a dump of a table that changes meanwhile is read again', async () => {
  const many = Array.from({ length: 60 }, (_, index) => `tskd${index}`);
  await socket.batch(many.map((name) => createBridge({ name })));
  const other = new NetlinkSocket('route');
  const changing = (async () => {
    for (let round = 0; round < 20; round++) await other.batch([setLink('tskd30', { alias: `round ${round}` })]);
  })();
  const links = (await socket.dump(dumpLinks())).map(parseLink);
  await changing;
  await other.close();
  expect(
    links
      .filter(({ name }) => name.startsWith('tskd'))
      .map(({ name }) => name)
      .sort(),
  ).toEqual(many.sort());
  await socket.batch(links.filter(({ name }) => name.startsWith('tskd')).map(({ index }) => deleteLink(index)));
});

test('closing fails what still waits', async () => {
  const other = new NetlinkSocket('route');
  const waiting = expect(other.batch([getLink('lo')])).rejects.toThrow(/was closed while a request was under way/);
  await other.close();
  await waiting;
});
