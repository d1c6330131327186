#!/usr/bin/env python3
"""check_help.py BUILD: the man pages and the completions say what the programs' --help says.

1. Every option, command, profile field and exit status of --help is in the man page, in the right section and with the
   same words; and the man page has no option that --help lacks.
2. bash and zsh offer every command, and for each command exactly its options.
"""

import base64
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(sys.argv[1])
BASH, ZSH = ROOT / "src/ctl/completions/accountctl.bash", ROOT / "src/ctl/completions/_accountctl"
EXPLAINED = re.compile(r" {2,6}((?:-\w, )?--[a-z-]+(?: [A-Z][A-Z=:,.]*)?|[a-z_]+)(?: +(?:… )?(.*))?$")
OPTION = re.compile(r"-(?:\w|-[a-z-]+)(?![\w-])")
wrong = []


def complain(text):
    wrong.append(text)
    print(f"check_help: {text}")


def help_of(program, *arguments):
    return subprocess.run([BUILD / program, *arguments], capture_output=True, text=True, check=True).stdout


def plain(text):
    """Lower case, single blanks, no dot at the end: how a sentence is compared."""
    return " ".join(text.split()).lower().rstrip(".")


def entries(text):
    """[(what is explained, the explanation)] of the indented lines of a help text."""
    found = []
    for line in text.splitlines():
        first = EXPLAINED.match(line)
        if first:
            found.append([first[1], first[2] or ""])
        elif found and line.startswith(" " * 8):
            found[-1][1] += " " + line.strip()
    return found


class Page:
    """A man page's source: sections by their title, without the marks of scdoc."""

    def __init__(self, name):
        source = (ROOT / "docs/man" / name).read_text()
        source = re.sub(r"\\(.)", r"\1", re.sub(r"(?<![\\\w])[*_]|[*_](?!\w)", "", source))
        parts = re.split(r"^# (.*)$", source, flags=re.M)
        self.name = name
        self.sections = dict(zip(parts[1::2], parts[2::2]))

    def section(self, title):
        return next((text for key, text in self.sections.items() if key.startswith(title)), "")

    def says(self, title, what):
        if plain(what) not in plain(self.section(title)):
            complain(f"{self.name}, {title}: does not say: {what}")


def headings(section):
    """The options that a section explains: they stand at the beginning of a line."""
    return {option for line in section.splitlines() if line.startswith("-") for option in OPTION.findall(line)}


def compare_options(page, title, explained):
    options = {option for what, _ in explained if what.startswith("-") for option in OPTION.findall(what)}
    for option in sorted(options ^ headings(page.section(title))):
        complain(f"{page.name}, {title}: {option} is only in {'--help' if option in options else 'the man page'}")
    for what, explanation in explained:
        page.says(title, explanation)
        if not what.startswith("-"):
            page.says(title, what)
    return options


def check_accountd():
    text = help_of("accountd", "--help")
    page = Page("accountd.8.scd")
    usage, purpose = re.split(r"\n(?=\S)", text.split("\n\n")[0])
    page.says("NAME", purpose)
    page.says("SYNOPSIS", usage.removeprefix("Usage: "))
    compare_options(page, "OPTIONS", entries(text))


def check_accountctl():
    """The commands, and the options of each."""
    text = help_of("accountctl", "--help")
    page = Page("accountctl.1.scd")
    commands_text, options_text = text.split("Options of all commands:")
    options_text, exits = options_text.split("Exit status:")
    explained = entries(commands_text)
    compare_options(page, "COMMANDS", explained)
    common = compare_options(page, "OPTIONS OF ALL COMMANDS", entries(options_text))
    for item in re.split(r",\s+(?=\d)", exits.strip()):
        code, meaning = item.split(" ", 1)
        page.says("EXIT STATUS", f"{code} {plain(meaning)}")
    for name in re.findall(r"ACCOUNTCTL_\w+", text):
        page.says("ENVIRONMENT", name)
    options = {"help": set()}
    for command, _ in explained:
        if command == "help":
            continue
        own, _, fields = help_of("accountctl", "help", command).partition("Fields of the profile:")
        title = f"accountctl {command}"
        for sentence in own.split("\n\n")[1].split(". "):
            page.says(title, sentence)
        options[command] = compare_options(page, title, entries(own)) | common
        for field, rule in entries(fields.split("\n\n")[0]):
            page.says("FIELDS", f"{field} {rule}")
    return {what for what, _ in explained}, options


def bash_offers(*words):
    script = f"""source {BASH}; COMP_WORDS=(accountctl "$@"); COMP_CWORD=$#
        _accountctl; printf '%s\\n' "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


# What is added to the list is written to the terminal, too, and then a mark. compadd with -O, -A or -D only asks.
ZSH_SCRIPT = r"""
compadd() {
    local -a hits
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
    builtin compadd -A hits "$@"
    (( $#hits )) && print -rl -- offer:$^hits >/dev/tty
    builtin compadd "$@"
}
offers_end() { print -r -- offers:end >/dev/tty }
list_offers() { comppostfuncs=(offers_end); zle list-choices; BUFFER= }
zle -N list_offers
bindkey '^T' list_offers
"""


class Zsh:
    """A zsh on a terminal of its own, asked what it would complete."""

    def __init__(self):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb")
            os.execvp("zsh", ["zsh", "-f", "-i"])
        for line in (
            f"stty -echo; PS1=; fpath=({ZSH.parent} $fpath); autoload -Uz compinit; compinit -D -u",
            f"source <(print -r -- {shlex.quote(base64.b64encode(ZSH_SCRIPT.encode()).decode())} | base64 -d)",
        ):
            os.write(self.terminal, f"{line}; print -r -- line''end\n".encode())
            self.read_until("\nlineend")

    def read_until(self, mark):
        seen, deadline = "", time.monotonic() + 20
        while mark not in seen:
            if not select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))[0]:
                raise SystemExit(f"check_help: zsh does not answer; it has written:\n{seen}")
            seen += os.read(self.terminal, 65536).decode(errors="replace").replace("\r", "")
        return seen

    def offers(self, *words):
        os.write(self.terminal, " ".join(["accountctl", *words, "\x14"]).replace(" \x14", "\x14").encode())
        return set(re.findall(r"offer:(\S+)", self.read_until("offers:end")))

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def short(options):
    """What bash offers: long options, and those only."""
    return {option for option in options if option.startswith("--")}


def compare_offers(shell, line, offered, expected):
    for word in sorted(offered ^ expected):
        complain(f"{shell}: 'accountctl {line}' {'lacks' if word in expected else 'offers'} {word}")


def check_completions(commands, options):
    compare_offers("bash", "", bash_offers(""), commands | short(options["get"]))
    compare_offers("bash", "help", bash_offers("help", ""), commands)
    zsh = Zsh()
    compare_offers("zsh", "", zsh.offers(""), commands)
    compare_offers("zsh", "help", zsh.offers("help", ""), commands)
    for command in sorted(commands - {"help"}):
        compare_offers("bash", f"{command} -", bash_offers(command, "-"), short(options[command]))
        compare_offers("zsh", f"{command} -", zsh.offers(command, "-"), options[command])
    zsh.close()


check_accountd()
check_completions(*check_accountctl())
if not wrong:
    print("check_help: the man pages and the completions say what --help says")
sys.exit(bool(wrong))
