/** The caller's part of a call that a daemon carried out: aardvark-dns is told what the daemon noted. */
import { openAardvark, type AardvarkOptions } from './aardvark.ts';
import type { AardvarkNotice } from './daemon-call.ts';

export async function tellAardvark(
  notices: readonly AardvarkNotice[],
  locked: AardvarkOptions['locked'],
): Promise<void> {
  for (const { kind, place, given } of notices) {
    const aardvark = openAardvark({ ...place, locked });
    if (kind === 'add') await aardvark.add(...given);
    else await aardvark.remove(...given);
  }
}
