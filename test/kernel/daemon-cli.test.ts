/** The same command lines, acting themselves and through a daemon: what is printed and how they end must not differ. */
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Lab, until, type Host, type Namespace } from '../support/lab.ts';

/** In order; BOX and OTHER stand for namespaces of each host. A line with `|` has what is typed on standard input behind it. */
const SCRIPT = `
version
ls
ls --format json
info
inspect bridge
inspect ""
inspect nope
--debug inspect nope
inspect --format {{.Name}} bridge nope host
inspect --format {{.Nope bridge
create web
create web
--debug create web
create --subnet 10.1.0.5/24 bad
create --subnet 10.1.0.0/24 --ip-range 10.2.0.0/24 --gateway 10.3.0.1 bad
create -d nope bad
create -o nope=1 bad
create -d host bad
create --dry-run --ipv6 --subnet fd07::/64 --label a=b plan
create --dry-run --format json --subnet 10.4.0.0/24 plan
create --format json --subnet 10.5.0.0/24 --aux-address nas=10.5.0.9 --label team=a api
create --internal --subnet 10.6.0.0/24 quiet
ls
ls --no-trunc -q
ls --filter label=team=a
ls --filter type=custom --format {{.Name}}|{{.Driver}}
ls --filter nope=1
ls --filter name=[
connect web netns:BOX
connect web netns:BOX
connect --ip 10.5.0.7 --alias db --alias www -p 8080:80 api netns:BOX
connect --ip 10.5.0.9 api netns:OTHER
connect --ip 10.5.0.7 api netns:OTHER
--debug connect --ip 10.9.0.1 api netns:OTHER
connect -p 8080:80 web netns:OTHER
connect --dry-run -p 9000-9010:9000-9010/udp web netns:OTHER
connect --dry-run --format json web netns:OTHER
connect --format json --mac-address 02:00:00:00:00:09 quiet netns:OTHER
connect nope netns:BOX
connect web nope
connect host netns:BOX
ps --format {{.Name}}|{{.Networks}}|{{.Ports}}|{{.Status}}
ps -q --no-trunc
port BOX
port
port nope
publish web BOX 8443:443
publish web BOX 8443:443
publish --dry-run web BOX 9443:443/tcp
publish web OTHER 1:1
unpublish web BOX 8443:443
unpublish web BOX 8443:443
inspect web api
rm web
rm bridge
rm nope
rm -f nope
run --name job -d --network web --ip 172.18.0.77 -- sleep 1000
run --name job -d -- sleep 1
run --name short --network nope -- true
run --name short -p 8080:80 -- true
run --rm --network quiet -- ip -o -4 address show eth0
run -- sh -c "exit 7"
exec job ip -o -4 address show eth0
exec nope true
ps --format {{.Name}}|{{.Networks}}|{{.Command}}
stop -t 1 job
stop nope
diff
repair
repair --format json
gc --dry-run
gc
disconnect --dry-run web BOX
disconnect web BOX
disconnect web BOX
disconnect --force --format json api BOX
disconnect quiet OTHER
prune | n
prune --dry-run -f
prune --filter until=10h -f
prune -f
ls
diff
`
  .trim()
  .split('\n');

interface Place {
  readonly host: Host;
  readonly box: Namespace;
  readonly other: Namespace;
}

interface Told {
  readonly line: string;
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const lab = new Lab();
let alone: Place;
let served: Place;

function place(): Place {
  return { host: lab.host(), box: lab.namespace('box'), other: lab.namespace('other') };
}

beforeAll(async () => {
  alone = place();
  served = place();
  await served.host.startDaemon();
});
afterAll(() => {
  lab.close();
});

/** Words as a shell would cut them, as far as the script needs it. */
function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|\S+/g)].map(([whole, quoted]) => quoted ?? whole);
}

async function play({ host, box, other }: Place): Promise<Told[]> {
  const told: Told[] = [];
  for (const line of SCRIPT) {
    const [typed = '', input] = line.split(' | ');
    const args = words(typed.replaceAll('BOX', box.name).replaceAll('OTHER', other.name));
    const { status, stdout, stderr } = await host.tsnet(args, input === undefined ? {} : { input: `${input}\n` });
    const normal = normaliser({ host, box, other });
    told.push({ line, status, stdout: inOrder(line, normal(stdout)), stderr: normal(stderr) });
  }
  return told;
}

/** Networks are pruned in the order of their ids. */
function inOrder(line: string, text: string): string {
  return line.startsWith('prune') ? text.split('\n').sort().join('\n') : text;
}

/** What is random, or a time, or a place, is the same word on both sides. */
function normaliser({ host, box, other }: Place): (text: string) => string {
  const ids = new Map<string, string>();
  const named = (id: string): string => {
    const short = id.slice(0, 11);
    const name = ids.get(short) ?? `ID${String(ids.size)}`;
    ids.set(short, name);
    return name;
  };
  return (text) =>
    text
      .replaceAll(host.dir, 'DIR')
      .replaceAll(box.name, 'BOX')
      .replaceAll(other.name, 'OTHER')
      .replace(/^(Daemon|Repaired by itself|Names served in|Held host ports):.*\n/gm, '')
      .replace(/\b(?:veth|tsn-)?[0-9a-f]{64}\b|\b(?:veth|tsn-)[0-9a-f]{11}\b|\b(?=\d*[a-f])[0-9a-f]{12}\b/g, (id) =>
        named(id.replace(/^(veth|tsn-)/, '')),
      )
      .replace(/\d{4}-\d\d-\d\d[T ][\d:.]+(Z| \+0000 UTC)/g, 'TIME')
      .replace(/(Less than a second|\d+ seconds?)/g, 'AGE')
      .replace(/"(inode|device|cookie|startTime|pid|mountNamespace)":"?\d+"?/g, '"$1":0')
      .replace(/\bpid \d+/g, 'pid N')
      .replace(/\b0x[0-9a-f]+\b/g, 'HEX')
      .replace(/fd[0-9a-f]{2}(:[0-9a-f]{0,4}){2}(?=:)/g, 'ULA')
      .replace(/(?:\d+: )?eth0(@if\d+)?/g, 'eth0')
      // A bridge's is random, an endpoint's follows from its address.
      .replace(/02:42(?!:0a:0[56]|:ac:1[12])(:[0-9a-f]{2}){4}/g, 'MAC')
      .replace(/ *\n/g, '\n');
}

describe('the command line', () => {
  it('behaves through a daemon as it does alone', { timeout: 300_000 }, async () => {
    const [first, second] = await Promise.all([play(alone), play(served)]);
    expect(second).toEqual(first);
    // Not all of it went wrong in the same way.
    expect(first.filter(({ status }) => status === 0).length).toBeGreaterThan(SCRIPT.length / 2);
    expect(first.filter(({ stderr }) => stderr.includes('bug:'))).toEqual([]);
  });

  it('says who answers in info', async () => {
    expect(await alone.host.mustTsnet(['info'])).toMatch(/^Daemon: +none$/m);
    expect(await served.host.mustTsnet(['info'])).toMatch(/^Daemon: +pid \d+, since \d{4}-/m);
  });

  it('refuses to go without the daemon that was named', async () => {
    const { status, stderr } = await alone.host.tsnet(['-H', `unix://${alone.host.socket}`, 'ls']);
    expect(status).toBe(1);
    expect(stderr).toBe(
      `tsnet: ask the daemon: ${alone.host.socket}: no such socket; start it with \`tsnet daemon\`, or leave -H away\n`,
    );
  });

  it('acts by itself again when the daemon is gone', async () => {
    const host = lab.host();
    await host.startDaemon();
    await host.mustTsnet(['create', 'web']);
    expect(await host.stopDaemon()).toBe(0);
    expect(await host.mustTsnet(['ls', '--filter', 'name=web', '--format', '{{.Name}}'])).toBe('web');
    const killed = await host.startDaemon();
    killed.kill('SIGKILL');
    await until(() => killed.signalCode !== null);
    // Its socket is still there, and nobody listens at it.
    expect(await host.mustTsnet(['rm', 'web'])).toBe('web');
    rmSync(host.socket);
    expect(await host.mustTsnet(['diff'])).toBe('');
  });
});
