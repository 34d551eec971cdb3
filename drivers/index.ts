/** The built-in drivers. A new one is a folder beside this file and a line here. */
import type { Driver } from '../src/plan/driver.ts';
import bridge from './bridge/driver.ts';
import host from './host/driver.ts';
import ipvlan from './ipvlan/driver.ts';
import macvlan from './macvlan/driver.ts';
import none from './none/driver.ts';
import overlay from './overlay/driver.ts';

export const BUILT_IN_DRIVERS: readonly Driver[] = [bridge, host, ipvlan, macvlan, none, overlay];
