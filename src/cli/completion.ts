/** `tsnet completion SHELL`: a script that asks `tsnet __complete` at every tab, so that it is never out of date. */
import { Argument } from 'commander';
import type { DefineVerb } from './verbs.ts';

/** What is typed so far, the unfinished word last, goes to `__complete`; it answers lines of "WORD\tDESCRIPTION". */
const SCRIPTS = {
  bash: `# bash completion for tsnet: source <(tsnet completion bash)
_tsnet() {
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD}") line
  # readline splits at ":" as well; docker:NAME is one word to us
  if declare -F _get_comp_words_by_ref >/dev/null; then
    local cur prev cword
    _get_comp_words_by_ref -n : -w words -i cword cur
    words=("\${words[@]:1:cword}")
  fi
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(tsnet __complete -- "\${words[@]}" 2>/dev/null)
  declare -F __ltrim_colon_completions >/dev/null && __ltrim_colon_completions "\${cur:-}"
}
complete -o default -F _tsnet tsnet
`,
  zsh: `#compdef tsnet
# zsh completion for tsnet: source <(tsnet completion zsh)
_tsnet() {
  local -a found
  local line word
  while IFS= read -r line; do
    word="\${line%%$'\\t'*}"
    found+=("\${word//:/\\\\:}\${\${line#*$'\\t'}:+:\${line#*$'\\t'}}")
  done < <(tsnet __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe tsnet found || _files
}
compdef _tsnet tsnet
`,
  fish: `# fish completion for tsnet: tsnet completion fish | source
function __tsnet_complete
  set -l words (commandline --tokenize --cut-at-cursor --current-process) (commandline --current-token --cut-at-cursor)
  tsnet __complete -- $words[2..-1] 2>/dev/null
end
complete --command tsnet --arguments '(__tsnet_complete)'
`,
} as const;

export const define: DefineVerb = (command, context) => {
  command
    .addArgument(new Argument('<shell>', 'for which shell').choices(Object.keys(SCRIPTS)))
    .action((shell: keyof typeof SCRIPTS) => {
      context.write(SCRIPTS[shell]);
    });
};
