/**
 * `make demo`: the main job of tsnet, narrated, in throw-away namespaces. Runs inside `unshare --net --mount`.
 *
 *     client (192.168.50.9) ── LAN ── (192.168.50.1) host ── tsnet0 (172.17.0.1) ── containers web, box
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const tsnetFile = path.resolve(import.meta.dirname, '../../dist/tsnet.js');
const support = (file) => path.join(import.meta.dirname, file);
const dir = mkdtempSync(path.join(tmpdir(), 'tsnet-demo-'));
const env = {
  ...process.env,
  TSNET_DATA_ROOT: `${dir}/lib`,
  TSNET_EXEC_ROOT: `${dir}/run`,
  TSNET_CONFIG: `${dir}/daemon.json`,
};
delete env.NODE_EXTRA_CA_CERTS;
const tty = process.stdout.isTTY;
const bold = (text) => (tty ? `\x1b[1m${text}\x1b[0m` : text);
const dim = (text) => (tty ? `\x1b[2m${text}\x1b[0m` : text);
let failed = false;

function say(text) {
  process.stdout.write(`\n${bold(`# ${text}`)}\n`);
}

/** Runs a program in a namespace; its output. */
function inside(namespace, file, args) {
  return execFileSync('nsenter', [`--net=/run/netns/${namespace}`, file, ...args], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Runs and shows; `where` is what the prompt says. */
function show(where, shown, file, args) {
  process.stdout.write(`${dim(`${where}$`)} ${shown}\n`);
  try {
    const output = inside(where, file, args);
    process.stdout.write(output.replace(/^/gm, '  ').replace(/ +$/, ''));
    return output;
  } catch (error) {
    failed = true;
    process.stdout.write(`  FAILED: ${String(error.stderr || error.stdout || error.message).trim()}\n`);
    return '';
  }
}

const tsnet = (...args) =>
  show('host', `tsnet ${args.map((arg) => (/[\s{}]/.test(arg) ? `'${arg}'` : arg)).join(' ')}`, process.execPath, [
    tsnetFile,
    ...args,
  ]);
const quietly = (...args) => inside('host', process.execPath, [tsnetFile, ...args]);
const fetchFrom = (where, url) => show(where, `fetch ${url}`, process.execPath, [support('fetch.js'), url]);
const inContainer = (name, shown, ...command) =>
  show('host', `tsnet exec ${name} -- ${shown}`, process.execPath, [tsnetFile, 'exec', name, '--', ...command]);

function expect(what, holds) {
  process.stdout.write(`  ${holds ? '✓' : '✗'} ${what}\n`);
  if (!holds) failed = true;
}

function ip(...args) {
  execFileSync('ip', args, { stdio: 'ignore' });
}

execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
ip('link', 'set', 'lo', 'up');
for (const name of ['host', 'client']) {
  ip('netns', 'add', name);
  ip('-n', name, 'link', 'set', 'lo', 'up');
}
ip('link', 'add', 'eth0', 'netns', 'host', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', 'client');
for (const [name, address] of [
  ['host', '192.168.50.1/24'],
  ['client', '192.168.50.9/24'],
]) {
  ip('-n', name, 'address', 'add', address, 'dev', 'eth0');
  ip('-n', name, 'link', 'set', 'eth0', 'up');
}

try {
  say(
    'A host (192.168.50.1) and a client (192.168.50.9) on one LAN. Two containers on the default bridge, one publishes 8080:80',
  );
  tsnet('run', '-d', '--name', 'web', '-p', '8080:80', '--', process.execPath, support('who-asks.js'), '80');
  tsnet('run', '-d', '--name', 'box', '--', 'sleep', 'infinity');
  tsnet('ps');

  say('They reach each other');
  inContainer('box', 'ping -c 1 172.17.0.2', 'ping', '-c', '1', '-W', '2', '172.17.0.2');

  say('They reach the LAN, and the LAN sees the host: MASQUERADE');
  const server = spawn('nsenter', ['--net=/run/netns/client', process.execPath, support('who-asks.js'), '7000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => server.stdout.once('data', resolve));
  const seen = inContainer(
    'box',
    'fetch http://192.168.50.9:7000/',
    process.execPath,
    support('fetch.js'),
    'http://192.168.50.9:7000/',
  );
  expect('the client saw 192.168.50.1, the host', seen.includes('192.168.50.1'));
  server.kill();

  say('Port 8080 of the host is port 80 of the container: DNAT, from everywhere, with the client kept');
  expect(
    'the container saw the client itself',
    fetchFrom('client', 'http://192.168.50.1:8080/').includes('192.168.50.9'),
  );
  fetchFrom('host', 'http://192.168.50.1:8080/');
  fetchFrom('host', 'http://127.0.0.1:8080/');
  inContainer(
    'box',
    'fetch http://192.168.50.1:8080/',
    process.execPath,
    support('fetch.js'),
    'http://192.168.50.1:8080/',
  );
  inContainer(
    'web',
    'fetch http://192.168.50.1:8080/',
    process.execPath,
    support('fetch.js'),
    'http://192.168.50.1:8080/',
  );

  say('What is not published is closed');
  let closed = false;
  ip('-n', 'client', 'route', 'add', '172.17.0.0/16', 'via', '192.168.50.1');
  try {
    inside('client', 'ping', ['-c', '1', '-W', '1', '172.17.0.2']);
  } catch {
    closed = true;
  }
  expect('the client, with a route to 172.17.0.0/16, does not reach the container directly', closed);

  say('What an administrator sees');
  tsnet('ls');
  tsnet('inspect', 'bridge');
  show('host', 'iptables -t nat -S', 'iptables', ['-t', 'nat', '-S']);

  say('Somebody flushes the firewall and deletes the bridge. tsnet knows, and mends just that');
  inside('host', 'iptables', ['-t', 'nat', '-F']);
  inside('host', 'ip', ['link', 'delete', 'tsnet0']);
  process.stdout.write(`${dim('host$')} iptables -t nat -F; ip link delete tsnet0; tsnet diff\n`);
  try {
    quietly('diff');
    expect('diff exits 2 on drift', false);
  } catch (error) {
    process.stdout.write(String(error.stdout).replace(/^/gm, '  ').replace(/ +$/, ''));
    expect('diff exits 2 on drift', error.status === 2);
  }
  tsnet('repair');
  fetchFrom('client', 'http://192.168.50.1:8080/');

  say('Everything is removed, and nothing of ours is left');
  tsnet('stop', 'web', 'box');
  tsnet('gc');
  const links = inside('host', 'ip', ['-o', 'link']);
  const rules = ['nat', 'filter', 'raw'].map((table) => inside('host', 'iptables', ['-t', table, '-S'])).join('');
  expect('no link is left', !/veth|tsnet0/.test(links));
  expect('no rule and no chain is left', !rules.includes('TSNET'));
  expect(
    'no lease, port or sandbox is left in the ledger',
    /"endpoints":0.*"leases":0.*"publishedPorts":0/.test(
      JSON.stringify(JSON.parse(quietly('info', '--format', 'json'))),
    ),
  );
  expect(
    'no namespace is left',
    execFileSync('sh', ['-c', `grep -c '${dir}/run/netns' /proc/self/mounts || true`], { encoding: 'utf8' }).trim() ===
      '0',
  );
} finally {
  for (const name of ['host', 'client']) ip('netns', 'delete', name);
  rmSync(dir, { recursive: true, force: true });
}
process.stdout.write(failed ? '\nSomething above did not hold.\n' : '\nAll of it held.\n');
process.exitCode = failed ? 1 : 0;
