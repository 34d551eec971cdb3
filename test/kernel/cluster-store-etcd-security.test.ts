/** etcd that shows a certificate and asks for one, and later for a user as well. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { parseClusterStore, type ClusterStoreOptions } from '../../src/model/cluster-address.ts';
import type { ClusterStore } from '../../src/model/cluster-store.ts';
import { openClusterStore } from '../../src/store/cluster/open-cluster-store.ts';
import { Authority } from '../support/certificates.ts';
import { EtcdServer } from '../support/etcd-server.ts';
import { Lab, until } from '../support/lab.ts';
import { StoreMirror } from '../support/store-mirror.ts';
import { StoreNet } from '../support/store-net.ts';

const lab = new Lab();
const dir = mkdtempSync(path.join(tmpdir(), 'tsnet-certificates-'));
const opened: ClusterStore[] = [];
let net: StoreNet;
let server: EtcdServer;
let strangerCa: string;
let tls: { readonly ca: string; readonly cert: string; readonly key: string };

const open = async (options: ClusterStoreOptions): Promise<ClusterStore> => {
  const store = await openClusterStore({ store: parseClusterStore(`etcd://${net.firm}/lab`), options });
  opened.push(store);
  return store;
};
const write = { expect: [], operations: [{ kind: 'put', key: 'host/a', value: '1' } as const] };
const ctl = async (...args: readonly string[]): Promise<void> => {
  const { status, stderr } = await server.ctl(...args);
  if (status !== 0) throw new Error(`etcdctl ${args.join(' ')}: ${stderr}`);
};

beforeAll(async () => {
  net = await StoreNet.open(lab);
  const authority = await Authority.open(dir, 'authority');
  const addresses = [net.firm, '127.0.0.1'];
  strangerCa = (await Authority.open(dir, 'stranger')).ca;
  tls = { ca: authority.ca, ...(await authority.sign('tsnet', [])) };
  server = new EtcdServer({
    namespace: net.namespace,
    addresses: [net.firm, net.weak],
    tls: { ca: authority.ca, ...(await authority.sign('server', addresses)) },
  });
  await server.start();
}, 60_000);

afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()));
});

afterAll(async () => {
  await server.stop();
  lab.close();
  rmSync(dir, { recursive: true });
});

test('who shows a certificate of the authority is served, under the path of the store', async () => {
  const store = await open(tls);
  expect(await store.transact(write)).toMatchObject({ ok: true });
  expect((await server.ctl('get', '--keys-only', '/lab/tsnet/v1/host/a')).stdout.trim()).toBe('/lab/tsnet/v1/host/a');
});

test('a server of another authority is not trusted, and says why', async () => {
  const store = await open({ ...tls, ca: strangerCa });
  await expect(store.list('host/')).rejects.toMatchObject({
    code: 'RUNTIME',
    message: expect.stringMatching(/^cluster store etcd:.*: list host\/: not reachable \(.*certificate.*\)/) as unknown,
  });
});

test('a certificate of another host is not good', async () => {
  const store = await openClusterStore({ store: parseClusterStore(`etcd://${net.weak}`), options: tls });
  opened.push(store);
  await expect(store.list('host/')).rejects.toMatchObject({
    code: 'RUNTIME',
    message: expect.stringContaining(`its certificate is not one of ${net.weak}`) as unknown,
  });
});

test('without a certificate nothing is had, and a file that is not there is named', async () => {
  await expect((await open({ ca: tls.ca })).transact(write)).rejects.toMatchObject({ code: 'RUNTIME' });
  await expect((await open({})).transact(write)).rejects.toMatchObject({ code: /RUNTIME|TIMEOUT/ });
  await expect((await open({ ...tls, cert: '/nowhere.pem' })).transact(write)).rejects.toMatchObject({
    code: 'CONFIG',
    message: 'cluster-store-opts: read /nowhere.pem: ENOENT',
  });
});

test('where etcd asks for a user, the right one is served, also when its token is no longer good', async () => {
  await ctl('user', 'add', 'root:root');
  await ctl('user', 'grant-role', 'root', 'root');
  await ctl('role', 'add', 'tsnet');
  await ctl('role', 'grant-permission', 'tsnet', 'readwrite', '--prefix=true', '/lab/tsnet/v1/');
  await ctl('user', 'add', 'member:secret');
  await ctl('user', 'grant-role', 'member', 'tsnet');
  await ctl('auth', 'enable');
  for (const wrong of [{}, { user: 'member', password: 'wrong' }, { user: 'nobody', password: 'x' }]) {
    await expect((await open({ ...tls, ...wrong })).transact(write)).rejects.toMatchObject({
      code: 'PERMISSION',
      message: expect.stringContaining('look at "user" and "password"') as unknown,
    });
  }
  const store = await open({ ...tls, user: 'member', password: 'secret' });
  const session = await store.openSession(5_000);
  const mirror = await StoreMirror.open(store, 'host/');
  expect(await store.transact(write)).toMatchObject({ ok: true });
  await until(() => mirror.items.has('host/a'));

  await ctl('--user', 'root:root', 'auth', 'disable');
  await ctl('auth', 'enable');
  const again = { expect: [], operations: [{ kind: 'put', key: 'host/b', value: '1', session } as const] };
  expect(await store.transact(again)).toMatchObject({ ok: true });
  await until(() => mirror.items.has('host/b'));
  const later = await StoreMirror.open(store, 'host/');
  expect(Object.keys(later.contents())).toEqual(['host/a', 'host/b']);
  await session.close();
  await until(() => !later.items.has('host/b'));
  for (const one of [mirror, later]) one.close();
});
