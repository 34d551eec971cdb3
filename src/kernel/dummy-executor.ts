/** Dummy links of the host: what is sent into one is gone. */
import type { DummyResource } from '../plan/resource.ts';
import type { Executor } from './executor.ts';
import { upperLinkExecutor } from './upper-link.ts';

export const dummyExecutor: Executor<'dummy'> = upperLinkExecutor<DummyResource>({
  kind: 'dummy',
  needs: 'CONFIG_DUMMY (module dummy); or name a parent that is there with -o parent=LINK',
  untagged: 'ours',
  data: () => [],
  unlike: () => [],
});
