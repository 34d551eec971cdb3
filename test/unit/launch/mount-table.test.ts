import { describe, expect, it } from 'vitest';
import { mountsBelow } from '../../../src/launch/mount-table.ts';

const TABLE = [
  '22 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
  '24 22 0:22 / /sys rw - sysfs sysfs rw',
  '30 24 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw',
  '31 22 0:4 net:[1] /run/a\\040b/netns/x rw - nsfs nsfs rw',
  '32 22 0:4 net:[2] /run/a\\040b/netns/x rw - nsfs nsfs rw',
  '33 22 0:4 net:[3] /run/a\\040b/netnsother rw - nsfs nsfs rw',
  '',
].join('\n');

describe('the mounts below a folder', () => {
  it('includes the folder itself and what is inside', () => {
    expect(mountsBelow(TABLE, '/sys')).toEqual(['/sys', '/sys/fs/cgroup']);
  });

  it('reads escaped blanks, names each path once, and is not misled by a common beginning', () => {
    expect(mountsBelow(TABLE, '/run/a b/netns')).toEqual(['/run/a b/netns/x']);
  });

  it('is empty where nothing is mounted', () => {
    expect(mountsBelow(TABLE, '/nowhere')).toEqual([]);
  });
});
