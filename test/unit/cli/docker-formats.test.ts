/**
 * `--format` against recordings of docker CLI 28.2.2 with the same networks (`docker-networks.ts`): arguments, exit status,
 * standard output, and the message behind "tsnet: ". Known differences, not in the recordings: JSON keeps "<" and ">" where
 * Docker writes \u003c; a failing `inspect` template prints no empty line; `{{template}}` and `{{define}}` are refused.
 */
import { describe, expect, test } from 'vitest';
import recordings from './docker-formats.json' with { type: 'json' };
import { engineWithDockerNetworks } from './docker-networks.ts';
import { tsnet } from './run-cli.ts';

type Recording = readonly [args: string[], status: number, stdout: string, stderr: string];

describe('formats do what docker does with them', () => {
  test.each(recordings as unknown as Recording[])('%j', async (args, status, stdout, message) => {
    const run = await tsnet(args, { engine: engineWithDockerNetworks() });
    expect(run.stdout).toBe(stdout);
    expect(run.stderr).toBe(message === '' ? '' : `tsnet: ${message}`);
    expect(run.status).toBe(status);
  });
});
