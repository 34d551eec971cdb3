/** Links that what arrives elsewhere is led through, so that it can be made to wait. */
import type { IfbResource } from '../plan/resource.ts';
import type { Executor } from './executor.ts';
import { upperLinkExecutor } from './upper-link.ts';

export const ifbExecutor: Executor<'ifb'> = upperLinkExecutor<IfbResource>({
  kind: 'ifb',
  needs: 'CONFIG_IFB (module ifb), to limit what a container sends',
  untagged: 'ours',
  data: () => [],
  unlike: () => [],
});
