import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { FIREWALL_BACKENDS, must, until } from '../support/lab.ts';
import { HealStage } from './heal-stage.ts';

const FLOOD = path.resolve(import.meta.dirname, '../support/udp-flood.js');
const ECHO = path.resolve(import.meta.dirname, '../support/udp-who-asks.js');

let stage: HealStage;

afterEach(async () => {
  await stage.close();
});

describe.each(FIREWALL_BACKENDS)('isolation, with %s,', (backend) => {
  it('is back with the first thing that is mended, and cuts off what began in between', async () => {
    stage = new HealStage(backend);
    const [red, blue] = [stage.lab.namespace('red'), stage.lab.namespace('blue')];
    await stage.engine.createNetwork({ name: 'red' });
    await stage.engine.createNetwork({ name: 'blue' });
    await stage.engine.connect({ network: 'red', container: red.path });
    const { endpoint } = await stage.engine.connect({ network: 'blue', container: blue.path, ports: ['8080:80'] });
    const address = endpoint.addresses[0]?.address.replace(/\/.*/, '') ?? '';
    await stage.heal();
    blue.start(process.execPath, [ECHO, '7000', 'blue']);
    await until(async () => (await blue.run('sh', ['-c', 'ss -lun | grep -q :7000'])).status === 0);
    let heard = '';
    red
      .start(process.execPath, [FLOOD, address, '7000'])
      .stdout?.setEncoding('utf8')
      .on('data', (text: string) => (heard += text));
    const times = (): number[] => heard.split('\n').slice(1).filter(Boolean).map(Number);
    await until(() => heard !== '');
    for (let round = 1; round <= 3; round++) {
      const before = stage.repaired.length;
      const heardBefore = times().length;
      // With forwarding closed by hand as well, the order shows: rules first, then the parameter.
      await must('sh', ['-c', 'nft flush ruleset; echo 0 > /proc/sys/net/ipv4/ip_forward']);
      await until(() => stage.repaired.length > before);
      await stage.healer?.settled();
      const mended = Date.now();
      await until(async () => (await stage.engine.diff()).length === 0);
      // The flood goes on all the time, from the same port, as one flow.
      await until(() => Date.now() > mended + 300);
      const late = times()
        .slice(heardBefore)
        .filter((time) => time > mended);
      expect(late).toEqual([]);
    }
  });

  it('lets nothing through between the rules and forwarding, whatever is mended with them', async () => {
    stage = new HealStage(backend);
    const [red, blue] = [stage.lab.namespace('red'), stage.lab.namespace('blue')];
    await stage.engine.createNetwork({ name: 'red' });
    await stage.engine.createNetwork({ name: 'blue' });
    await stage.engine.connect({ network: 'red', container: red.path });
    const { endpoint } = await stage.engine.connect({ network: 'blue', container: blue.path });
    const address = endpoint.addresses[0]?.address.replace(/\/.*/, '') ?? '';
    blue.start(process.execPath, [ECHO, '7000', 'blue']);
    await until(async () => (await blue.run('sh', ['-c', 'ss -lun | grep -q :7000'])).status === 0);
    // Closed first, then without rules: what opens forwarding before the rules stand lets the flood through.
    await must('sh', ['-c', 'echo 0 > /proc/sys/net/ipv4/ip_forward; nft flush ruleset']);
    let heard = '';
    red
      .start(process.execPath, [FLOOD, address, '7000'])
      .stdout?.setEncoding('utf8')
      .on('data', (text: string) => (heard += text));
    await until(() => heard !== '');
    await stage.heal();
    await until(async () => (await stage.engine.diff()).length === 0);
    expect(heard).toBe('sending\n');
    expect(await must('cat', ['/proc/sys/net/ipv4/ip_forward'])).toBe('1');
  });
});
