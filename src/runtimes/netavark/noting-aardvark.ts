/** aardvark-dns as a daemon has it: what it is to be told is noted, for the caller to tell (`daemon-call.ts`). */
import { TsnetError } from '../../model/error.ts';
import type { Aardvark, AardvarkPlace } from './aardvark.ts';
import type { AardvarkNotice } from './daemon-call.ts';

export function notingAardvark(place: AardvarkPlace, notices: AardvarkNotice[]): Aardvark {
  return {
    add: (...given) => {
      notices.push({ kind: 'add', place, given });
      return Promise.resolve();
    },
    remove: (...given) => {
      notices.push({ kind: 'remove', place, given });
      return Promise.resolve();
    },
    setUpstreams: () => Promise.reject(new TsnetError('UNSUPPORTED', 'a daemon is asked for setup and teardown alone')),
  };
}
