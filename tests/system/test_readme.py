"""The README, word for word: its tour is one shell session, and its topics and settings are enough for a start."""

import contextlib
import os
import re
import signal
import subprocess
import sys

from daemon import Daemon
from servers import BUILD, ROOT, WITH_PARENT, Redis

README = (ROOT / "README.md").read_text()

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


def blocks(info):
    """(language, text) of the fenced blocks whose info string matches."""
    found = re.findall(rf"^```({info})\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found, f"the README has no block that is marked {info}"
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


def test_the_tour(tmp_path):
    script = ""
    for language, text in blocks("(?:sh|python) tour"):
        script += text if language == "sh" else f"{sys.executable} - <<'PYTHON'\n{text}PYTHON\n"
    script = script.replace("build/accountd", f"{BUILD}/accountd").replace("$PWD/build", str(BUILD))
    printed = run_session(script, tmp_path)
    rest = printed
    for line in (
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
    ):
        # Each after the one before: what another block printed proves nothing.
        _, found, rest = rest.partition(line)
        assert found, f"no {line!r}, or not where it should be, in\n{printed}"
    assert not list(tmp_path.iterdir()), "the tour leaves something behind"


def test_topics_and_settings(kafka, tmp_path):
    """The README's names of hosts are the test's servers, and its three replicas the one that a single broker has."""
    program = tmp_path / "kafka-topics.sh"
    program.write_text(KAFKA_TOPICS)
    program.chmod(0o755)
    script = "".join(text for _, text in blocks("sh topics")).replace("kafka:9092", kafka.address)
    script = script.replace("--replication-factor 3", "--replication-factor 1").replace("replicas=2", "replicas=1")
    run_session(f"PATH={tmp_path}:$PATH\n{script}", tmp_path)

    redis = Redis(tmp_path / "redis")
    daemon = Daemon(tmp_path, {})
    settings = "".join(text for _, text in blocks("libconfig")).replace("kafka:9092", kafka.address)
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
