import { afterEach, beforeEach, expect, it } from 'vitest';
import { dig, NameStage } from '../support/name-stage.ts';

let stage: NameStage;
beforeEach(() => {
  stage = new NameStage();
});
afterEach(() => stage.close());

it('smoke', async () => {
  await stage.engine.createNetwork({ name: 'web', enableIPv6: true });
  const a = await stage.container('a', 'web');
  const b = await stage.container('b', 'web');
  console.log(stage.complaints, stage.names.serving());
  console.log(await dig(a, b.shown));
  console.log(await dig(a, b.shown.toUpperCase() + '.web', 'AAAA', '+tcp'));
  console.log((await dig(a, 'nothing')).text);
  console.log(await a.run('nft', ['list', 'ruleset']));
  expect(stage.results).toEqual([]);
});
