"""The Grafana dashboard and the Prometheus rules in deploy/, against what /metrics of a working supervisor really says."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml
from harness import BIN, counter_plant, eventually

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "fieldwarden.json"
RULES = DEPLOY / "prometheus" / "fieldwarden.rules.yml"

SCRAPED = {"job", "instance"}  # labels that Prometheus adds to every series
MADE_BY_PROMETHEUS = {"up": {frozenset()}}
KEYWORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}
CLAUSE = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
SELECTED = re.compile(r"(?<![\w.:$])([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?(\s*\()?")
MATCHER = re.compile(r'([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"([^"]*)"')


def series_of(text):
    """The Prometheus text format as {name: [labels of each series]}."""
    found = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        name, labels, _ = re.fullmatch(r'([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)', line).groups()
        found.setdefault(name, []).append(dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")))
    return found


def parsed(expression):
    """([(metric, [(label, operator, value)…])…], labels of the grouping clauses)."""
    grouped = {label.strip() for labels in CLAUSE.findall(expression) for label in labels.split(",") if label.strip()}
    rest = re.sub(r"\[[^\]]*\]", "", CLAUSE.sub(" ", expression))
    metrics = []
    for name, selector, call in SELECTED.findall(rest):
        if call or name in KEYWORDS:
            continue
        metrics.append((name, MATCHER.findall(selector)))
    return metrics, grouped


def faults_of(expression, exported):
    """What the expression uses and /metrics does not have, as sentences."""
    metrics, grouped = parsed(expression)
    if not metrics:
        return [f"no metric in {expression}"]
    faults, carried = [], set(SCRAPED)
    for name, matchers in metrics:
        series = exported.get(name) or [dict(labels) for labels in MADE_BY_PROMETHEUS.get(name, ())]
        if not series:
            faults.append(f"{name} is not exported ({expression})")
            continue
        labels = SCRAPED.union(*series)
        carried |= labels
        for label, operator, value in matchers:
            if label not in labels:
                faults.append(f"{name} has no label {label} ({expression})")
            elif label == "state" and operator in ("=", "=~"):
                known = {one["state"] for one in exported["fieldwarden_tasks"] + exported["fieldwarden_alerts"]}
                faults += [f"no {name} is ever in state {one} ({expression})" for one in value.split("|") if one not in known]
    return faults + [f"grouped by {label}, which nothing has ({expression})" for label in grouped - carried]


@pytest.fixture(scope="module")
def rules():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


@pytest.fixture(scope="module")
def dashboard():
    return json.loads(DASHBOARD.read_text())


def exported_by(supervisor, simulator, tmp_path):
    """All series, once a task has read, delivered and been measured."""
    supervisor.import_workbook(counter_plant(tmp_path / "plant.xlsx", simulator.ports[0]))
    supervisor.start_task("T")
    wanted = {"fieldwarden_task_points_delivered_total", "fieldwarden_task_spool_pending", "fieldwarden_queue_dead",
              "fieldwarden_task_heartbeat_age_seconds", "fieldwarden_task_log_lines_lost_total",
              "fieldwarden_sink_delivery_age_seconds_bucket"}
    return eventually(lambda: (s := series_of(supervisor.http.get(supervisor.base + "/metrics").text)).keys() >= wanted and s,
                      "every kind of series")


def test_dashboard_and_rules_name_what_is_exported(supervisor, simulator, tmp_path, dashboard, rules):
    exported = exported_by(supervisor, simulator, tmp_path)
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert len(expressions) > 30 and len(rules) > 12
    faults = [fault for expression in expressions + [rule["expr"] for rule in rules] for fault in faults_of(expression, exported)]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] != "query":
            continue
        query, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
        faults += faults_of(f"count by ({label}) ({query})", exported)
    for rule in rules:
        carried = SCRAPED.union(*(one for name, _ in parsed(rule["expr"])[0] for one in exported.get(name, [])))
        said = rule["annotations"]["summary"] + rule["annotations"]["description"]
        faults += [f"{rule['alert']} prints label {label}, which its series do not have"
                   for label in re.findall(r"\$labels\.(\w+)", said) if label not in carried]
    assert not faults, "\n".join(faults)
    # One series for a task, with the state it is in.
    assert exported["fieldwarden_task_state"] == [{"task": "T", "state": "RUNNING"}]
    assert exported["fieldwarden_sink_delivery_age_seconds_count"] == [{"task": "T", "sink": "history", "type": "history"}]


def test_the_check_finds_what_is_wrong():
    exported = series_of('fieldwarden_tasks{state="RUNNING"} 1\nfieldwarden_alerts{state="firing",severity="info"} 0\n'
                         'fieldwarden_task_errors_total{task="a} b",x="1"} 2\n')
    assert exported["fieldwarden_task_errors_total"] == [{"task": "a} b", "x": "1"}]
    good = 'sum by (task) (rate(fieldwarden_task_errors_total{job=~"$job",task="T"}[5m])) > 1.5e9 and on (instance) up == 1'
    assert faults_of(good, exported) == []
    for wrong in ("rate(fieldwarden_task_error_total[5m])", 'fieldwarden_task_errors_total{tsk="T"}',
                  "sum by (tasks) (fieldwarden_tasks)", 'fieldwarden_tasks{state=~"RUNNING|RUNING"}', "vector(1)"):
        assert len(faults_of(wrong, exported)) == 1, wrong


def test_every_panel_is_complete(dashboard):
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    taken = set()
    for panel in panels:
        assert panel["title"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        for part in (panel, *panel["targets"]):
            assert part["datasource"]["uid"] == "${datasource}", panel["title"]
        assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard))) - {"__rate_interval", "__all"}
    assert used <= variables, used - variables


def test_every_rule_says_what_to_do(rules):
    names = [rule["alert"] for rule in rules]
    assert len(set(names)) == len(names)
    keys = subprocess.run([BIN / "fieldwarden", "serve", "--print-config"], capture_output=True, text=True, check=True).stdout
    verbs = set(re.findall(r"^  ([a-z-]+) ", subprocess.run([BIN / "fieldwarden", "help"], capture_output=True, text=True,
                                                              check=True).stdout, re.M))
    sections = {}
    for line in keys.splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), set())
        elif key := re.match(r"(?:# )?(\w+) = ", line):
            section.add(key[1])
    for rule in rules:
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        summary, description = rule["annotations"]["summary"], rule["annotations"]["description"]
        assert summary and len(description) > 80, rule["alert"]
        for command in re.findall(r"`fieldwarden ([a-z-]+)", description):
            assert command in verbs, f"{rule['alert']}: there is no `fieldwarden {command}`"
        for name, key in re.findall(r"\b(worker|restart|health|spool|history|log|server)\.([a-z_]+)\b", description):
            assert key in sections[name], f"{rule['alert']}: there is no setting {name}.{key}"


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian package prometheus) is not installed")
def test_prometheus_takes_rules_and_metrics(supervisor):
    subprocess.run(["promtool", "check", "rules", RULES], check=True, capture_output=True, text=True)
    text = supervisor.http.get(supervisor.base + "/metrics").text
    # Its advice on naming (exit code 3) is no fault of the format.
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert done.returncode in (0, 3), done.stderr


RULES_IN_TIME = """
rule_files: [{rules}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {{series: 'up{{job="fieldwarden",instance="a"}}', values: '1x40'}}
      - {{series: 'fieldwarden_task_state{{job="fieldwarden",instance="a",task="DEAD",state="CRASHED"}}', values: '1x40'}}
      - {{series: 'fieldwarden_task_state{{job="fieldwarden",instance="a",task="IDLE",state="STOPPED"}}', values: '1x40'}}
      - {{series: 'fieldwarden_task_state{{job="fieldwarden",instance="a",task="MUTE",state="RUNNING"}}', values: '1x40'}}
      - {{series: 'fieldwarden_task_state{{job="fieldwarden",instance="a",task="FINE",state="RUNNING"}}', values: '1x40'}}
      - {{series: 'fieldwarden_task_points_read_total{{job="fieldwarden",instance="a",task="MUTE"}}', values: '500x40'}}
      - {{series: 'fieldwarden_task_points_read_total{{job="fieldwarden",instance="a",task="FINE"}}', values: '0+600x40'}}
      - {{series: 'fieldwarden_task_points_read_total{{job="fieldwarden",instance="a",task="IDLE"}}', values: '7x40'}}
      - {{series: 'fieldwarden_task_heartbeat_age_seconds{{job="fieldwarden",instance="a",task="MUTE"}}', values: '60x40'}}
      - {{series: 'fieldwarden_task_heartbeat_age_seconds{{job="fieldwarden",instance="a",task="IDLE"}}', values: '9000x40'}}
      - {{series: 'fieldwarden_task_spool_pending{{job="fieldwarden",instance="a",task="MUTE"}}', values: '20000+100x40'}}
      - {{series: 'fieldwarden_task_spool_pending{{job="fieldwarden",instance="a",task="FINE"}}', values: '90000-100x40'}}
      - {{series: 'fieldwarden_queue_dead{{job="fieldwarden",instance="a"}}', values: '0x20 3x20'}}
      - {{series: 'fieldwarden_spool_dropped_total{{job="fieldwarden",instance="a"}}', values: '7x20 7+5x20'}}
{ages}
    alert_rule_test:
      - {{eval_time: 35m, alertname: FieldwardenSupervisorDown, exp_alerts: []}}
      - {{eval_time: 15m, alertname: FieldwardenDeadLetters, exp_alerts: []}}
      - {{eval_time: 15m, alertname: FieldwardenSamplesLost, exp_alerts: []}}
      - {{eval_time: 35m, alertname: FieldwardenSamplesLost,
          exp_alerts: [{{exp_labels: {{job: fieldwarden, instance: a, severity: critical}}}}]}}
      - {{eval_time: 35m, alertname: FieldwardenDeliveryLate,
          exp_alerts: [{{exp_labels: {{job: fieldwarden, instance: a, task: MUTE, sink: S, type: kafka, severity: warning}}}}]}}
      - {{eval_time: 35m, alertname: FieldwardenDeadLetters,
          exp_alerts: [{{exp_labels: {{job: fieldwarden, instance: a, severity: warning}}}}]}}
{expected}
  - interval: 1m
    input_series: [{{series: 'up{{job="fieldwarden",instance="a"}}', values: '1x5 0x20'}}]
    alert_rule_test:
      - {{eval_time: 5m, alertname: FieldwardenSupervisorDown, exp_alerts: []}}
      - {{eval_time: 10m, alertname: FieldwardenSupervisorDown,
          exp_alerts: [{{exp_labels: {{job: fieldwarden, instance: a, severity: critical}}}}]}}
"""


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (Debian package prometheus) is not installed")
def test_rules_fire_for_those_they_are_about(tmp_path, rules):
    """A crashed task, a mute one, a late sink and a full one are told of; a stopped task and one that catches up are not."""
    fires = {"FieldwardenTaskFailed": ("DEAD", {"state": "CRASHED"}), "FieldwardenNoData": ("MUTE", {}),
             "FieldwardenHeartbeatOld": ("MUTE", {}), "FieldwardenBacklogGrowing": ("MUTE", {}),
             "FieldwardenTaskNotRunning": None}
    by_name = {rule["alert"]: rule for rule in rules}
    checks = []
    for alert, firing in fires.items():
        expected = []
        if firing:
            task, more = firing
            labels = {"job": "fieldwarden", "instance": "a", "task": task, "severity": by_name[alert]["labels"]["severity"], **more}
            expected.append({"exp_labels": labels})
        checks.append({"eval_time": "35m", "alertname": alert, "exp_alerts": expected})
    # Annotations are compared as well unless both lack them: the rules go in without.
    bare = yaml.safe_load(RULES.read_text())
    for group in bare["groups"]:
        for rule in group["rules"]:
            del rule["annotations"]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(bare))
    expected = "".join(f"      - {json.dumps(check)}\n" for check in checks)
    # One sink stores what is some minutes old, the other what is a second old.
    ages = "".join(f"      - {{series: 'fieldwarden_sink_delivery_age_seconds_bucket{{job=\"fieldwarden\",instance=\"a\",task=\"{task}\","
                   f"sink=\"S\",type=\"kafka\",le=\"{bound}\"}}', values: '0+{rate}x40'}}\n"
                   for task, rates in {"MUTE": (0, 0, 600, 600), "FINE": (600, 600, 600, 600)}.items()
                   for bound, rate in zip(("1", "60", "300", "+Inf"), rates))
    (tmp_path / "test.yml").write_text(RULES_IN_TIME.format(rules=tmp_path / "rules.yml", expected=expected.rstrip(), ages=ages.rstrip()))
    done = subprocess.run(["promtool", "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
