"""Alert rules, their runbook and the dashboard, against the page that the program serves."""

import json
import re
import subprocess

from servers import ROOT, wait_for

RULES = ROOT / "docs/monitoring/prometheus-alerts.yaml"
TESTS = ROOT / "tests/monitoring/alerts_test.yaml"
DASHBOARD = json.loads((ROOT / "docs/monitoring/grafana-dashboard.json").read_text())
ALERTS = re.findall(r"^ +- alert: (\w+)$", RULES.read_text(), re.M)

# Prometheus adds the first two, and the text after a histogram's name the third.
OWN_LABELS = {"job", "instance", "le"}


def promtool(*arguments, **how):
    path = subprocess.run([ROOT / "tests/monitoring/promtool.sh"], capture_output=True, text=True, check=True)
    done = subprocess.run([path.stdout.strip(), *arguments], capture_output=True, text=True, **how)
    assert done.returncode == 0, done.stdout + done.stderr


def dashboard_queries():
    """All of them, as Grafana would send them."""
    queries = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    queries += [annotation["expr"] for annotation in DASHBOARD["annotations"]["list"]]
    return [query.replace("$__rate_interval", "5m") for query in queries]


def variable_queries():
    return [item["query"]["query"] for item in DASHBOARD["templating"]["list"] if item["type"] == "query"]


def unknown(text, page):
    """Selectors in the text of which no sample of the page is one, by name and by values of labels."""
    found = []
    for name, matchers in re.findall(r"\b((?:accountd|process)_\w+)(?:\{([^}]*)\})?", text):
        labels = [
            (label, value)
            for label, sign, value in re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', matchers)
            if label not in OWN_LABELS and sign == "="
        ]
        names = {label for label, _ in re.findall(r'(\w+)(=~|!=|!~|=)', matchers)} - OWN_LABELS
        lines = [line for line in page.splitlines() if re.match(rf"{name}[{{ ]", line)]
        lines = [line for line in lines if all(f'{label}="{value}"' in line for label, value in labels)]
        if not any(all(f'{label}="' in line for label in names) for line in lines):
            found.append(f"{name}{{{matchers}}}")
    return found


def test_rules():
    promtool("check", "rules", str(RULES))
    promtool("test", "rules", str(TESTS))


def test_each_alert_is_tested_and_has_a_runbook():
    assert len(ALERTS) == len(set(ALERTS)) > 10
    tested = set(re.findall(r'alertname="(\w+)", instance=', TESTS.read_text()))
    assert tested == set(ALERTS), tested ^ set(ALERTS)
    runbook = re.split(r"^## ", (ROOT / "docs/operations.md").read_text(), flags=re.M)
    alerts = next(section for section in runbook if section.startswith("Alerts\n"))
    assert re.findall(r"^### (.+)$", alerts, re.M) == ALERTS
    links = re.findall(r"runbook: docs/operations.md#(\w+)$", RULES.read_text(), re.M)
    assert links == [alert.lower() for alert in ALERTS]


def test_the_queries_are_of_metrics_that_exist(shared):
    daemon = shared.daemons[0]
    wait_for(daemon.log, lambda: "accountd_partition_lag{" in daemon.http("/metrics")[1])
    page = daemon.http("/metrics")[1]
    assert unknown('accountd_nonsense accountd_commands_total{op="fly"} accountd_lag{op="get"}', page) == [
        "accountd_nonsense{}",
        'accountd_commands_total{op="fly"}',
        'accountd_lag{op="get"}',
    ]
    for what in [RULES.read_text(), *dashboard_queries(), *variable_queries()]:
        assert not unknown(what, page), what


def test_prometheus_can_read_the_queries(tmp_path):
    """As rules, which is how promtool reads queries without a server."""
    rules = [{"record": f"query:{n}", "expr": query} for n, query in enumerate(dashboard_queries())]
    assert len(rules) > 30
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(file))
