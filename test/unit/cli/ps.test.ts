import { describe, expect, it } from 'vitest';
import { elapsedText } from '../../../src/model/elapsed.ts';
import { portsText } from '../../../src/cli/ps.ts';

describe('the columns of ps', () => {
  it.each([
    [-5, 'Less than a second'],
    [1_500, '1 second'],
    [59_000, '59 seconds'],
    [61_000, 'About a minute'],
    [3_599_000, '59 minutes'],
    [3_600_000, 'About an hour'],
    [47 * 3_600_000, '47 hours'],
    [3 * 86_400_000, '3 days'],
    [20 * 86_400_000, '2 weeks'],
    [90 * 86_400_000, '3 months'],
    [800 * 86_400_000, '2 years'],
  ])('%i ms are %s', (milliseconds, text) => {
    expect(elapsedText(milliseconds)).toBe(text);
  });

  it('write ports as Docker does', () => {
    expect(
      portsText([
        { protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080, containerPort: 80, count: 1 },
        { protocol: 'udp', hostAddress: '::', hostPort: 5000, containerPort: 6000, count: 10 },
      ]),
    ).toBe('0.0.0.0:8080->80/tcp, [::]:5000-5009->6000-6009/udp');
  });
});
