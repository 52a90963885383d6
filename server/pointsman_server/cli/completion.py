"""`pointsman completion`: a script that completes commands and their options in a shell."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Final

from pointsman_server.cli.options import parser_of
from pointsman_server.lib.console import say

_BASH: Final = """\
_pointsman() {
  local word="${COMP_WORDS[COMP_CWORD]}" command="${COMP_WORDS[1]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "COMMANDS --help --version" -- "$word"))
  elif [[ "$word" == -* ]]; then
    local options
    options="$(pointsman "$command" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]*' | sort -u)"
    COMPREPLY=($(compgen -W "$options" -- "$word"))
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}
complete -o filenames -F _pointsman pointsman"""
_ZSH: Final = f"autoload -U +X bashcompinit && bashcompinit\n{_BASH}"
_FISH: Final = """\
complete -c pointsman -n __fish_use_subcommand -f -a 'COMMANDS'
complete -c pointsman -n 'not __fish_use_subcommand' -a \
'(pointsman (commandline -opc)[2] --help 2>/dev/null | string match -ar -- "--[a-z][a-z-]*")'"""
_SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def completion(argv: Sequence[str]) -> int:
    """Print the script for one shell."""
    parser = parser_of(
        "completion",
        description="Print a script that completes commands and their options.",
        example='eval "$(pointsman completion bash)"',
    )
    parser.add_argument("shell", choices=sorted(_SCRIPTS))
    shell: str = parser.parse_args(argv).shell
    names = sorted(each.name for each in entry_points(group="pointsman.commands"))
    say(_SCRIPTS[shell].replace("COMMANDS", " ".join(names)))
    return 0
