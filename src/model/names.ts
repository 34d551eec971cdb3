/**
 * Which names are accepted, and which one a mistyped name meant.
 */
import { TsnetError } from './error.ts';
import { isId, shortId } from './ids.ts';

/** Bytes; file names and ledger keys end near here. */
const LONGEST_NAME = 255;
/** Characters: that of a host name, RFC 1035 2.3.4, and one more. */
const LONGEST_MADE_NAME = 64;
/** IFNAMSIZ - 1 (include/uapi/linux/if.h), bytes. */
const LONGEST_LINK_NAME = 15;

function refuse(what: string, name: string, why: string): never {
  throw new TsnetError('INVALID', `${what} ${JSON.stringify(name)}: ${why}`);
}

/**
 * A network's name. Docker takes anything but blanks; names that no later command could type or print are refused here.
 * @throws TsnetError INVALID
 */
export function checkNetworkName(name: string): string {
  const what = 'network name';
  if (name.trim() === '') refuse(what, name, 'it is empty; give the network a name');
  if (Buffer.byteLength(name) > LONGEST_NAME) refuse(what, name.slice(0, 32), `longer than ${LONGEST_NAME} bytes`);
  if (/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(name)) refuse(what, name, 'control characters would garble every listing');
  if (name.startsWith('-')) refuse(what, name, 'a leading "-" would be read as an option by every later command');
  if (isId(name)) refuse(what, name, '64 hex digits would be read as the id of another network');
  return name;
}

/**
 * A sandbox's name: Docker's rule for containers. A "/" or ":" would make a reference ambiguous ("/path", "pid:7").
 * @throws TsnetError INVALID
 */
export function checkSandboxName(name: string): string {
  return checkWord('container name', name);
}

/**
 * A sandbox's name from any text, in the words of a runtime: letters, digits, "_", "." and "-", a letter or digit first. `otherwise`
 * stands for text that has none of them.
 */
export function sandboxNameFrom(text: string, otherwise = 'netns'): string {
  const name = text.replace(/[^A-Za-z0-9_.-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  // 64 hex digits would be read as an id.
  return name === '' ? otherwise : isId(name) ? shortId(name) : name.slice(0, LONGEST_MADE_NAME);
}

/**
 * A network alias: a name that the name service answers to. "*.app.test" stands for every name below app.test.
 * @throws TsnetError INVALID
 */
export function checkAlias(name: string): string {
  const rest = name.startsWith('*.') ? name.slice(2) : name;
  checkWord('alias', rest);
  return name;
}

function checkWord(what: string, name: string): string {
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) {
    refuse(what, name, 'expected letters, digits, "_", "." and "-", a letter or digit first');
  }
  if (name.length > LONGEST_NAME) refuse(what, name.slice(0, 32), `longer than ${LONGEST_NAME} characters`);
  if (isId(name)) refuse(what, name, '64 hex digits would be read as an id');
  return name;
}

/**
 * A link's name, as dev_valid_name (net/core/dev.c) takes it; "%" is refused too, the kernel expands it.
 * @throws TsnetError INVALID
 */
export function checkLinkName(name: string): string {
  const what = 'interface name';
  if (name === '') refuse(what, name, 'it is empty');
  if (Buffer.byteLength(name) > LONGEST_LINK_NAME) {
    refuse(what, name, `longer than the kernel's ${LONGEST_LINK_NAME} bytes`);
  }
  if (name === '.' || name === '..' || /[/:%\s\p{Cc}\p{Cs}]/u.test(name)) {
    refuse(what, name, 'the kernel takes no "/", ":", "%", blanks or control characters, nor "." and ".."');
  }
  return name;
}

/** The name that a mistyped one most likely meant: fewest edits, at most a third of its length; else undefined. */
export function nearestName(wanted: string, names: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestEdits = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const name of names) {
    // More edits than the difference of the lengths are needed in any case.
    if (Math.abs(name.length - wanted.length) >= bestEdits) continue;
    const edits = editDistance(wanted.toLowerCase(), name.toLowerCase());
    if (edits < bestEdits) {
      best = name;
      bestEdits = edits;
    }
  }
  return best;
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const at = (line: readonly number[], index: number): number => line[index] ?? 0;
      let edits = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (a[row - 1] === b[column - 1] ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        edits = Math.min(edits, at(beforeLast, column - 2) + 1);
      }
      current.push(edits);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length] ?? 0;
}
