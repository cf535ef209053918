"""GitHub's workflows are valid, pinned and unprivileged, and call only commands that exist."""

import re
import shlex
import shutil
import subprocess
import sysconfig
import tomllib

import pytest
import yaml
from conftest import ROOT

WORKFLOWS = {path.stem: path for path in sorted((ROOT / ".github/workflows").iterdir())}
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in WORKFLOWS.items()}
JOBS = {f"{name}/{job}": body for name, text in TEXTS.items() for job, body in yaml.safe_load(text)["jobs"].items()}
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
CHECKS = {hook["id"]: hook for hook in HOOKS if "files" in hook}  # the others are CI's lint job
CHECKED = [*WORKFLOWS.values(), ROOT / ".github/dependabot.yml", ROOT / ".pre-commit-config.yaml"]

PINNED = re.compile(r"uses: [\w-]+/[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
CHECKOUT = re.search(r"uses: actions/checkout@.*", TEXTS["ci"])[0]

every_workflow = pytest.mark.parametrize("name", WORKFLOWS)
every_job = pytest.mark.parametrize("job", JOBS)


def run_check(check, root):
    """Run a pre-commit hook on the files below `root` that it names, as pre-commit would."""
    files = [path for path in CHECKED if re.search(CHECKS[check]["files"], str(path.relative_to(ROOT)))]
    tool = CHECKS[check]["entry"].replace(".venv/bin", sysconfig.get_path("scripts"))
    command = [*shlex.split(tool), *(str(root / path.relative_to(ROOT)) for path in files)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", cwd=root)


def commands(job):
    return [step["run"] for step in job["steps"] if "run" in step]


def test_nothing_is_left_unchecked():
    assert WORKFLOWS.keys() >= {"ci", "publish", "weekly"}
    assert CHECKS.keys() >= {"workflows", "dependabot", "zizmor"}


@pytest.mark.parametrize("check", CHECKS)
def test_pre_commit_check_passes(check):
    result = run_check(check, ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("check", "file", "sound", "broken"),
    [
        ("workflows", "workflows/ci.yml", "runs-on:", "run-on:"),
        ("dependabot", "dependabot.yml", "interval: weekly", "interval: whenever"),
        ("zizmor", "workflows/ci.yml", "run: make lint", "run: echo '${{ github.head_ref }}'"),
        ("zizmor", "workflows/ci.yml", "run: make lint", "run: echo '${{ runner.os }}'"),  # not even a harmless one
        ("zizmor", "workflows/ci.yml", "persist-credentials:", "show-progress:"),
        ("zizmor", "workflows/ci.yml", CHECKOUT, "uses: actions/checkout@v7"),
        ("zizmor", "workflows/weekly.yml", "permissions: {}", "permissions: write-all"),
        ("zizmor", "dependabot.yml", "default-days: 7", "default-days: 0"),
    ],
)
def test_check_refuses_what_is_broken(check, file, sound, broken, tmp_path):
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    shutil.copy(ROOT / ".pre-commit-config.yaml", tmp_path)
    copy = tmp_path / ".github" / file
    text = copy.read_text(encoding="utf-8")
    assert sound in text
    copy.write_text(text.replace(sound, broken, 1), encoding="utf-8")
    result = run_check(check, tmp_path)
    assert result.returncode != 0
    assert copy.name in result.stdout + result.stderr


@every_workflow
def test_actions_are_pinned_by_hash_and_name_their_version(name):
    uses = re.findall(r"uses:.*", TEXTS[name])
    assert uses
    assert [line for line in uses if not PINNED.fullmatch(line)] == []


def test_one_action_has_one_version():
    pins = {use for text in TEXTS.values() for use in re.findall(r"uses: (.*)", text)}
    actions = [pin.split("@")[0] for pin in pins]
    assert len(set(actions)) == len(actions)


@every_workflow
def test_workflow_starts_without_permissions_or_secrets(name):
    assert yaml.safe_load(TEXTS[name])["permissions"] == {}
    assert "secrets" not in TEXTS[name]


def test_only_deployment_and_report_may_write():
    permissions = {job: body["permissions"] for job, body in JOBS.items()}
    assert {job: given for job, given in permissions.items() if given != {"contents": "read"}} == {
        "publish/deploy": {"pages": "write", "id-token": "write"},
        "weekly/report": {"issues": "write"},
    }


@every_workflow
def test_checkouts_leave_no_credentials_behind(name):
    checkouts = re.findall(r"uses: actions/checkout@.*\n +with:\n +(.*)", TEXTS[name])
    assert checkouts == ["persist-credentials: false"] * TEXTS[name].count("actions/checkout@")


@every_job
def test_job_ends_in_time(job):
    assert 0 < JOBS[job]["timeout-minutes"] <= 150


def test_every_make_target_that_is_called_exists():
    targets = set(re.findall(r"^([\w./-]+):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    runs = [run for job in JOBS.values() for run in commands(job)] + [hook["entry"] for hook in HOOKS]
    called = {target for run in runs for target in re.findall(r"\bmake ([\w./-]+)", run)}
    assert {"lint", "test", "book", "execute"} <= called <= targets


def test_oldest_promised_python_is_tested():
    pythons = JOBS["ci/test"]["strategy"]["matrix"]["python"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == f">={pythons[0]}"
