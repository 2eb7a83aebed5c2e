"""What each shell runs to complete a `cleanroom` command line.

In: the shell's name. Out: a script for its start-up file. Never: knowledge of any command: each
script asks `cleanroom completion words`, so it never grows stale; nor a program of the current
folder started by the tab key, so `cleanroom` is found on PATH.
"""

from collections.abc import Mapping
from typing import Final

BASH: Final = r"""# cleanroom completion for bash; in ~/.bashrc: source <(cleanroom completion bash)
_cleanroom() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("${line%%$'\t'*}")
  done < <(command cleanroom completion words "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  case "${COMPREPLY[0]-}" in *=) compopt -o nospace ;; esac
}
complete -o default -o nosort -F _cleanroom cleanroom
"""

ZSH: Final = r"""#compdef cleanroom
# cleanroom completion for zsh; in ~/.zshrc after compinit: source <(cleanroom completion zsh)
_cleanroom() {
  local line word
  local -a found
  while IFS= read -r line; do
    word="${line%%$'\t'*}"
    found+=("${word//:/\\:}:${line#*$'\t'}")
  done < <(command cleanroom completion words "${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( $#found )); then
    _describe -V cleanroom found
  else
    _files
  fi
}
if [[ "${funcstack[1]-}" == _cleanroom ]]; then
  _cleanroom "$@"
else
  compdef _cleanroom cleanroom
fi
"""

FISH: Final = r"""# cleanroom completion for fish: cleanroom completion fish | source
function __cleanroom_words
    set -l words (commandline -opc) (commandline -ct)
    set -l found (command cleanroom completion words $words[2..-1] 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c cleanroom -e
complete -c cleanroom -f -k -a '(__cleanroom_words)'
"""

SCRIPTS: Final[Mapping[str, str]] = {"bash": BASH, "zsh": ZSH, "fish": FISH}
