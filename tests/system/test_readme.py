"""README and tour, word for word: each is one shell session, and topics and settings are enough for a start."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from daemon import Daemon
from servers import BUILD, ROOT, WITH_PARENT, Redis

README = ROOT / "README.md"

# In the place of Kafka's own program, whose options it knows as far as the README uses them.
KAFKA_TOPICS = f"""#!{sys.executable}
import argparse
from confluent_kafka.admin import AdminClient, NewTopic
parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("--bootstrap-server", required=True)
parser.add_argument("--create", required=True, action="store_true")
parser.add_argument("--topic", required=True)
parser.add_argument("--partitions", required=True, type=int)
parser.add_argument("--replication-factor", required=True, type=int)
parser.add_argument("--config", action="append", default=[])
given = parser.parse_args()
config = dict(setting.split("=", 1) for setting in given.config)
topic = NewTopic(given.topic, given.partitions, given.replication_factor, config=config)
admin = AdminClient({{"bootstrap.servers": given.bootstrap_server}})
admin.create_topics([topic])[given.topic].result(15)
"""


def blocks(document, info):
    """(language, text) of the fenced blocks whose info string matches."""
    found = re.findall(rf"^```({info})\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{document.name} has no block that is marked {info}"
    return [(name.split()[0], text) for name, text in found]


def run_session(script, directory, seconds=120):
    """What a shell prints that stops at the first command that fails; nothing that it started survives it."""
    shell = subprocess.Popen(
        [*WITH_PARENT, "bash", "-ec", script],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(directory)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = shell.communicate(timeout=seconds)
        logs = "".join(f"\n--- {log}\n{log.read_text()}" for log in directory.glob("*/log"))
        assert shell.returncode == 0, f"status {shell.returncode} after\n{printed}{logs}"
        return printed
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()


def check_session(document, info, directory, lines):
    """A document's session prints these lines, each after the one before: what another block printed proves nothing."""
    script = ""
    for language, text in blocks(document, info):
        script += text if language == "sh" else f"{sys.executable} - <<'PYTHON'\n{text}PYTHON\n"
    script = script.replace("$PWD/build", str(BUILD)).replace("build/accountd", f"{BUILD}/accountd")
    script = script.replace("build/accountctl", f"{BUILD}/accountctl")
    printed = run_session(script, directory)
    rest = printed
    for line in lines:
        _, found, rest = rest.partition(line)
        assert found, f"no {line!r}, or not where it should be, in\n{printed}"
    assert not list(directory.iterdir()), "it leaves something behind"


def test_the_first_look(tmp_path):
    check_session(README, "sh look", tmp_path, (
        "kafka_correlationId=1,content-type=application/json,accountd-status=ok\n",
        '"account":"alice","status":"ok","revision":1,"changed":true',
        "\nnickname\nAlice\n",
        "edited alice (revision 2)\n",
        "app,account,type,revision,",
        "\ndemo,alice,general,2,",
    ))  # fmt: skip


def test_the_tour(tmp_path):
    check_session(ROOT / "docs" / "tour.md", "(?:sh|python) tour", tmp_path, (
        "ready: commands are served",
        "kafka_correlationId=tour-1,content-type=application/json,accountd-status=ok\n",
        '"account":"alice","status":"ok","revision":1,"changed":true',
        "\nnickname\nAlice\n",
        "created bob (revision 1)\ncreated carol (revision 1)\n",
        "edited alice (revision 2)\n",
        "account: bob\ntype: admin\n",
        '"record":{"app":"demo","account":"alice"',
        "3 accounts in all\n",
        "exported 2 accounts to ",
        'account,type,revision,custom\nalice,general,2,\nbob,admin,1,"{""city"":""Bern""}"\n',
        "deleted bob (revision 2)\ndeleted carol (revision 2)\n",
        "field profile.birthday",
        "status 1\n",
        "'account': 'alice', 'status': 'ok', 'revision': 3, 'changed': True",
    ))  # fmt: skip


def test_topics_and_settings(kafka, tmp_path):
    """The documents' names of hosts are the test's servers, and their three replicas the one that a single broker has."""
    program = tmp_path / "kafka-topics.sh"
    program.write_text(KAFKA_TOPICS)
    program.chmod(0o755)
    script = "".join(text for _, text in blocks(ROOT / "docs" / "operations.md", "sh topics")).replace("kafka:9092", kafka.address)
    script = script.replace("--replication-factor 3", "--replication-factor 1").replace("replicas=2", "replicas=1")
    run_session(f"PATH={tmp_path}:$PATH\n{script}", tmp_path)

    redis = Redis(tmp_path / "redis")
    daemon = Daemon(tmp_path, {})
    settings = "".join(text for _, text in blocks(README, "libconfig")).replace("kafka:9092", kafka.address)
    settings = settings.replace('"redis"', f'"127.0.0.1"; port = {redis.port}')
    daemon.config.write_text(settings + daemon.config.read_text())
    check = [BUILD / "accountd", "--check-config", "-c", daemon.config]
    said = subprocess.run(check, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
    try:
        assert (said.returncode, said.stdout) == (0, ""), said.stdout
        daemon.start()
        daemon.stop()
    finally:
        if daemon.running():
            daemon.kill()
        redis.close()


# Every block has a name, and a test that runs it as it stands.
RUN = {
    "sh look": "test_readme.py",
    "sh tour": "test_readme.py",
    "sh topics": "test_readme.py",
    "sh rights": "test_kafka_security.py",
    "sh more-rights": "test_kafka_security.py",
    "sh client-rights": "test_kafka_security.py",
    "sh replay-rights": "test_kafka_security.py",
    "sh import-rights": "test_kafka_security.py",
    "sh redis-user": "test_redis_security.py",
    "sh signing": "test_signed.py",
    "sh import": "test_import.py",
    "sh resume": "test_import.py",
    "sh export-all": "test_import.py",
    "sh environment": "test_settings.py",
    "sh status": "test_status.py",
    "sh status-script": "test_status.py",
    "sh bench": "test_bench.py",
    "sh measure": "../bench/block.sh",
    "sh install": "../boot/test_boot.py",
    "sh make-install": "../boot/fresh.sh",
    "sh packages": "../boot/test_boot.py",
    "sh begin": "../boot/test_boot.py",
    "sh secrets": "../boot/test_boot.py",
    "sh restart": "../boot/test_boot.py",
    "sh stunnel": "../boot/test_boot.py",
}


def shell_blocks():
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]:
        text = document.read_text()
        for info, block in re.findall(r"^```(sh[^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            yield document.relative_to(ROOT), info, block


def test_each_shell_block_is_run():
    for document, info, block in shell_blocks():
        assert info in RUN, f"{document}: no test runs the block that begins with {block.splitlines()[0]!r}"
        assert info.removeprefix("sh ") in (ROOT / "tests" / "system" / RUN[info]).read_text()


def test_what_shell_blocks_name_exists():
    usage = subprocess.run([BUILD / "accountd", "--help"], capture_output=True, text=True, check=True).stdout
    makefiles = [ROOT / "Makefile", *ROOT.glob("*/rules.mk"), *ROOT.glob("tests/*/rules.mk")]
    targets = set(re.findall(r"^([a-z][a-z -]*):", "\n".join(map(Path.read_text, makefiles)), re.MULTILINE))
    targets = {name for names in targets for name in names.split()}
    for document, _, block in shell_blocks():
        for line in block.replace("\\\n", " ").splitlines():
            for options in re.findall(r"\baccountd ((?:--?[a-z-]+ )+)", line):
                assert all(option in usage for option in options.split()), f"{document}: {line}"
            for words in re.findall(r"^(?:sudo )?make ([a-z-]+)$", line):
                assert words in targets, f"{document}: {line}"


# ---- What no fence shows


def documents():
    """Each with its text outside of fenced blocks."""
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]:
        yield document, re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def test_no_command_stands_outside_of_a_fence_at_the_margin():
    """An indented block, or one of another name, would be run by nobody."""
    for document, text in documents():
        stray = re.findall(r"\n\n(?: {4}|\t| *(?:```|~~~)).*", text)
        assert not stray, f"{document.relative_to(ROOT)}: {stray}"
        names = set(re.findall(r"^```([a-z]+)", document.read_text(), re.MULTILINE))
        known = {"sh", "python", "java", "js", "json", "yaml", "ini", "libconfig"}
        assert names <= known, f"{document.relative_to(ROOT)}: {names - known}"


def anchors(document):
    """The names that headings have on the pages of a repository."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere():
    seen = 0
    for document, text in documents():
        for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            name, _, anchor = link.partition("#")
            target = document.parent / name if name else document
            assert target.exists(), f"{document.relative_to(ROOT)}: {link}"
            assert not anchor or anchor in anchors(target), f"{document.relative_to(ROOT)}: {link}"
            seen += 1
    assert seen > 50


def help_of(*command):
    return subprocess.run([BUILD / command[0], *command[1:]], capture_output=True, text=True, check=True).stdout


def test_commands_in_sentences_exist():
    """`accountctl … COMMAND --option` and `accountd --option` within the text, and accountctl's in blocks."""
    common, daemon = help_of("accountctl", "--help"), help_of("accountd", "--help")
    commands = set(re.findall(r"^  ([a-z]+) ", common, re.MULTILINE))
    seen = 0
    for document, text in documents():
        blocks = [line for path, _, block in shell_blocks() if path == document.relative_to(ROOT) for line in block.splitlines()]
        for said in re.findall(r"`((?:accountctl|accountd) [^`]*)`", text) + blocks:
            program, *words = re.split(r"\s+", re.sub(r" (?:\||>|#).*", "", said.strip())) or [""]
            options = [word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)]
            if program == "accountctl":
                named = [word for word in words if word in commands]
                own = help_of("accountctl", "help", named[0]) if named and named[0] != "help" else ""
                assert named or options, f"{document.relative_to(ROOT)}: {said}: no such command"
                usage = common + own
            elif program == "accountd":
                usage = daemon
            else:
                continue
            for option in options:
                assert re.search(rf"(?<![\w-]){option}(?![\w-])", usage), f"{document.relative_to(ROOT)}: {said}: {option}"
            seen += 1
    assert seen > 30
