/**
 * The executable that runtimes call: a shell script that has curl ask the daemon, since curl has started in a quarter of the time
 * that Node.js takes. Whatever is not a daemon's to answer, Node.js does.
 */
import { shellWord } from '../../model/shell-word.ts';
import { CALL_TYPE, CNI_PATH_OF_DAEMON, FAILED_STATUS } from './daemon-call.ts';

export interface AskingScript {
  /** Unix socket at which a daemon may listen. */
  readonly socket: string;
  /** Absolute path. */
  readonly curl: string;
  /** The command that runs the plugin by Node.js, with the script's environment and standard input. */
  readonly plugin: string;
  /** Lines that set what was recorded at the installation. */
  readonly exports: string;
}

/** A runtime gives up on a plugin earlier. */
const PATIENCE_SECONDS = 300;
/** curl(1): could not connect, permission denied included. */
const NOT_CONNECTED = 7;

export function askingScript({ socket, curl, plugin, exports }: AskingScript): string {
  const unanswered = JSON.stringify({
    cniVersion: '1.1.0',
    code: 107,
    msg: `ask the daemon at ${socket}: it did not answer; what it was doing it finishes or undoes`,
  });
  return `#!/bin/sh
# The CNI plugin of tsnet. A daemon is asked by curl, which starts faster than Node.js; all else is done by Node.js.
${exports}PATH="\${PATH:-}:/usr/bin:/bin"; export PATH
case "\${CNI_COMMAND:-}" in ''|VERSION) exec ${plugin} ;; esac
[ -S ${shellWord(socket)} ] && [ -x ${shellWord(curl)} ] || exec ${plugin}
input=$(cat)
as_before() { printf '%s' "$input" | ${plugin}; exit; }
# Another plugin may have a part in the addresses: a daemon runs no programs for its callers.
case "$input" in *[iI][pP][aA][mM]*) as_before ;; esac
for name in CNI_COMMAND CNI_CONTAINERID CNI_NETNS CNI_NETNS_OVERRIDE CNI_IFNAME CNI_ARGS CNI_PATH; do
  eval "[ -z \\"\\\${$name+set}\\" ] || set -- \\"\\$@\\" --data-urlencode \\"$name=\\\${$name}\\""
done
answer=$(printf '%s' "$input" | ${shellWord(curl)} -q -s --noproxy '*' --max-time ${String(PATIENCE_SECONDS)} --unix-socket ${shellWord(socket)} \\
  -H 'content-type: ${CALL_TYPE}' -w '%{http_code}' "$@" --data-urlencode input@- http://tsnet${CNI_PATH_OF_DAEMON})
status=$?
[ $status = ${String(NOT_CONNECTED)} ] && as_before
[ $status = 0 ] || { printf '%s\\n' ${shellWord(unanswered)}; exit 1; }
case "$answer" in
  *200) printf '%s' "\${answer%200}"; exit 0 ;;
  *${String(FAILED_STATUS)}) printf '%s' "\${answer%${String(FAILED_STATUS)}}"; exit 1 ;;
esac
as_before
`;
}
