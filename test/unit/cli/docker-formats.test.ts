import { test } from 'vitest';
import cases from './docker-formats.json' with { type: 'json' };
import { engineWithDockerNetworks } from './docker-networks.ts';
import { tsnet } from './run-cli.ts';
test('x', async () => {
  let bad = 0;
  for (const [args, status, stdout, stderr] of cases as any) {
    const r = await tsnet(args, { engine: engineWithDockerNetworks() });
    if (r.status !== status || r.stdout !== stdout || r.stderr !== (stderr === '' ? '' : 'tsnet: ' + stderr)) {
      bad++;
      console.log(
        JSON.stringify(
          { args, want: [status, stdout.slice(0, 300), stderr], got: [r.status, r.stdout.slice(0, 300), r.stderr] },
          null,
          1,
        ),
      );
    }
  }
  console.log('bad', bad, 'of', cases.length);
});
