"""The README's tour, word for word: its blocks are one shell session."""

import re
import subprocess
import sys

from servers import BUILD, ROOT, WITH_PARENT

BLOCK = re.compile(r"^```(sh|python) tour\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_tour(tmp_path):
    script = ["set -e"]
    for language, text in BLOCK.findall((ROOT / "README.md").read_text()):
        script.append(text if language == "sh" else f"{sys.executable} - <<'PYTHON'\n{text}PYTHON\n")
    assert len(script) > 5, "the README has no tour"
    session = "\n".join([*script, "wait"]).replace("/tmp/accountd-tour", f"{tmp_path}/tour")
    session = session.replace("build/account", f"{BUILD}/account")
    done = subprocess.run(
        [*WITH_PARENT, "bash", "-c", session], cwd=ROOT, timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    log = (tmp_path / "tour.log").read_text()
    said = f"{done.stdout}\n--- accountd\n{log}"
    assert done.returncode == 0, said
    for line in (
        "kafka_correlationId=tour-1",
        '"account":"alice","status":"ok","revision":1,"changed":true',
        "\nnickname\nAlice\n",
        "created bob (revision 1)",
        "edited alice (revision 2)",
        "'account': 'alice', 'status': 'ok', 'revision': 3, 'changed': True",
    ):
        assert line in done.stdout, f"no {line!r} in\n{said}"
    rows = (tmp_path / "tour.csv").read_text().splitlines()
    assert rows[0].startswith("app,account,type,revision,") and len(rows) == 3
    assert rows[1].startswith("demo,alice,general,2,") and rows[2].startswith("demo,bob,admin,1,")
