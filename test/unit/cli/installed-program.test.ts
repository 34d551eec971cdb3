/** What `install` writes for a runtime to call. */
import { describe, expect, test } from 'vitest';
import { programText, recordedEnvironment } from '../../../src/cli/installed-program.ts';

describe('the executable', () => {
  const program = '/usr/lib/tsnet/dist/tsnet-cni.js';

  test('names its interpreter, the program, and what is to be its configuration', () => {
    expect(programText({ node: '/usr/bin/node', program, env: {} })).toBe(
      '#!/usr/bin/node\nrequire("/usr/lib/tsnet/dist/tsnet-cni.js");\n',
    );
    expect(programText({ node: '/usr/bin/node', program, env: { TSNET_EXEC_ROOT: '/x"y' } })).toBe(
      '#!/usr/bin/node\nObject.assign(process.env, {"TSNET_EXEC_ROOT":"/x\\"y"});\nrequire("/usr/lib/tsnet/dist/tsnet-cni.js");\n',
    );
  });

  test('is one of the shell where a first line cannot name the interpreter', () => {
    const env = { TSNET_EXEC_ROOT: "/it's" };
    expect(programText({ node: "/opt/my node's/node", program: '/x/y.js', env })).toBe(
      "#!/bin/sh\nexport TSNET_EXEC_ROOT='/it'\\''s'\nexec '/opt/my node'\\''s/node' '/x/y.js' \"$@\"\n",
    );
    expect(programText({ node: `/${'n'.repeat(200)}`, program: '/x/y.js', env })).toMatch(/^#!\/bin\/sh\n/);
  });
});

describe('what is recorded', () => {
  const recorded = (request: object, env: Record<string, string>): Record<string, string> =>
    recordedEnvironment({ configRequest: () => ({ ...request, env }) });

  test('is nothing where all is as usual', () => {
    expect(recorded({}, { PATH: '/bin', TSNET_EXEC_ROOT: '' })).toEqual({});
  });

  test('is what options say, and else the environment, with whole paths', () => {
    expect(recorded({ execRoot: 'here' }, { TSNET_EXEC_ROOT: '/there', TSNET_DATA_ROOT: '/data' })).toEqual({
      TSNET_EXEC_ROOT: `${process.cwd()}/here`,
      TSNET_DATA_ROOT: '/data',
    });
    expect(recorded({ file: '/x.json', host: 'unix:///y' }, {})).toEqual({
      TSNET_CONFIG: '/x.json',
      TSNET_HOST: 'unix:///y',
    });
  });
});
