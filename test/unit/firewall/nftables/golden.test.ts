import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { frame } from '../../../../src/firewall/nftables/transaction.ts';
import { CASES } from '../cases.ts';
import { elementPage } from './element-page.ts';

const GOLDEN = path.join(import.meta.dirname, 'golden');

describe('the elements of', () => {
  it.each(CASES)('$name', async (which) => {
    await expect(elementPage(which)).toMatchFileSnapshot(path.join(GOLDEN, `${which.name}.txt`));
  });
});

it('the frame is the same for all', async () => {
  await expect(frame()).toMatchFileSnapshot(path.join(GOLDEN, 'frame.nft'));
});
