/**
 * `make bench`: where tsnet stands, beside the kernel's own cost and beside its peers, measured in turn in one run. Absolute times
 * depend on the machine and its neighbours, the ratios much less.
 *
 *     bench.js [--only NAME,NAME] [--json FILE]
 *
 * A name selects a group, or all groups of a family: `attach` stands for `attach/iptables` and `attach/nftables`.
 */
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { answerFor, runInProcess } from './group-process.ts';
import { GROUPS } from './groups.ts';
import { describeMachine, machine, writeReport } from './report.ts';
import { playTwin } from './scenarios.ts';
import { renderTable, renderVerdict, type Result } from './table.ts';

function selected(only: string | undefined): readonly string[] {
  const names = GROUPS.map(({ name }) => name);
  if (only === undefined || only === '') return names;
  const found = only.split(',').flatMap((wanted) => {
    const some = names.filter((name) => name === wanted || name.startsWith(`${wanted}/`));
    if (some.length === 0) throw new Error(`no group "${wanted}"; groups: ${names.join(', ')}`);
    return some;
  });
  return names.filter((name) => found.includes(name));
}

function tell(result: Result): void {
  const outcome = 'failed' in result ? 'failed' : 'skipped' in result ? 'skipped' : 'done';
  process.stderr.write(`${result.group}: ${outcome} in ${result.seconds} s\n`);
}

async function measureAll(only: string | undefined, json: string | undefined): Promise<void> {
  const results: Result[] = [];
  const on = machine();
  for (const name of selected(only)) {
    const result = await runInProcess(name);
    tell(result);
    results.push(result);
  }
  process.stdout.write(`${describeMachine(on)}\n\n${renderTable(results)}\n\n${renderVerdict(results)}\n`);
  if (json !== undefined) writeReport(json, on, results);
  if (results.some((result) => 'failed' in result)) process.exitCode = 1;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      json: { type: 'string' },
      // How this program starts itself again.
      group: { type: 'string' },
      answer: { type: 'string' },
      twin: { type: 'string' },
    },
  });
  if (values.twin !== undefined) {
    await playTwin(values.twin);
    return;
  }
  if (values.group === undefined || values.answer === undefined) {
    await measureAll(values.only, values.json);
    return;
  }
  const group = GROUPS.find(({ name }) => name === values.group);
  if (group === undefined) throw new Error(`no group "${values.group}"`);
  await answerFor(group, values.answer);
  // A group may leave sockets open; its namespaces go with this process.
  await leave(0);
}

/** Not from here: we may be called by a native callback of a netlink socket, which does not survive it. */
async function leave(status: number): Promise<never> {
  await setImmediate();
  process.exit(status);
}

// An interrupt ends the running group as well, which only an orderly exit does.
process.once('SIGINT', () => process.exit(130));

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return leave(1);
});
