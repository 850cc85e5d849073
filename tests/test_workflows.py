"""The CI files that the README shows: well-formed, with keys that exist, and commands that run."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.test_readme import WORKFLOWS, own, run  # noqa: F401

GITHUB = WORKFLOWS[".github/workflows/robustness.yml"]
SHARDS = WORKFLOWS[".github/workflows/robustness-shards.yml"]
GITLAB = WORKFLOWS[".gitlab-ci.yml"]

# docs.github.com, workflow syntax; docs.gitlab.com, CI/CD YAML reference
WORKFLOW_KEYS = {"name", "run-name", "on", "permissions", "env", "defaults", "concurrency", "jobs"}
JOB_KEYS = {
    *("name", "permissions", "needs", "if", "runs-on", "environment", "concurrency", "outputs", "env", "defaults"),
    *("steps", "timeout-minutes", "strategy", "continue-on-error", "container", "services", "uses", "with", "secrets"),
}
STEP_KEYS = {
    *("id", "if", "name", "uses", "run", "working-directory", "shell", "with", "env", "continue-on-error"),
    "timeout-minutes",
}
GITLAB_KEYS = {
    *(
        "after_script",
        "allow_failure",
        "artifacts",
        "before_script",
        "cache",
        "coverage",
        "dependencies",
        "environment",
    ),
    *("extends", "image", "interruptible", "needs", "parallel", "resource_group", "retry", "rules", "script"),
    *("secrets", "services", "stage", "tags", "timeout", "variables", "when"),
}
ARTIFACT_KEYS = {"exclude", "expire_in", "expose_as", "name", "paths", "public", "reports", "untracked", "when"}


class Text(yaml.SafeLoader):
    """YAML 1.2 as GitHub reads it: `on` is a word and no boolean."""


Text.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(text, Text)
    return found


def steps(text: str = GITHUB, job: str = "gate") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read(text)["jobs"][job]["steps"]
    return found


def shell(script: str) -> list[list[str]]:
    """The commands of a script, in words."""
    joined = script.replace("\\\n", " ")
    return [shlex.split(line) for line in joined.splitlines() if line.strip()]


def github_commands(text: str = GITHUB, job: str = "gate") -> list[list[str]]:
    return [command for step in steps(text, job) if "run" in step for command in shell(step["run"])]


def gitlab_commands() -> list[list[str]]:
    job = read(GITLAB)["robustness"]
    return [command for line in (*job["before_script"], *job["script"]) for command in shell(line)]


@pytest.mark.parametrize("text", [GITHUB, SHARDS])
def test_the_github_workflows_have_only_keys_that_github_knows(text: str) -> None:
    workflow = read(text)
    assert set(workflow) <= WORKFLOW_KEYS
    assert set(workflow["on"]) <= {"pull_request", "push"}
    assert set(workflow["permissions"]) <= {"contents", "pull-requests"}
    assert set(workflow["permissions"].values()) <= {"read", "write", "none"}
    for job in workflow["jobs"].values():
        assert set(job) <= JOB_KEYS
        for step in job["steps"]:
            assert set(step) <= STEP_KEYS
            assert ("uses" in step) != ("run" in step)
            if "uses" in step:
                assert re.fullmatch(r"actions/(checkout|setup-python|(upload|download)-artifact)@v\d+", step["uses"])
            condition = step.get("if", "${{ success() }}")
            assert re.fullmatch(r"\$\{\{ .* \}\}", condition)
    assert "${{" not in str(workflow["on"])


def test_what_an_outsider_may_write_never_reaches_a_shell() -> None:
    for step in (*steps(), *steps(SHARDS, "shard"), *steps(SHARDS, "merge")):
        for expression in re.findall(r"\$\{\{(.*?)\}\}", step.get("run", "")):
            assert expression.strip() == "github.event.number", "titles and branch names can hold commands"


def test_the_report_is_kept_and_commented_whatever_the_gate_says() -> None:
    kept = next(step for step in steps() if step.get("uses", "").startswith("actions/upload-artifact"))
    comment = steps()[-1]
    assert all("!cancelled()" in step["if"] for step in (kept, comment))
    assert set(kept["with"]["path"].split()) == {"report.json", "report.npz", "report.md", "junit.xml"}
    assert "--body-file report.md" in comment["run"]


def test_the_gitlab_file_has_only_keys_that_gitlab_knows() -> None:
    jobs = read(GITLAB)
    for job in jobs.values():
        assert set(job) <= GITLAB_KEYS
        assert set(job["artifacts"]) <= ARTIFACT_KEYS
        assert job["artifacts"]["when"] == "always"
        assert set(job["artifacts"]["paths"]) == {"report.json", "report.npz", "report.md"}
        assert job["artifacts"]["reports"] == {"junit": "junit.xml"}
        for rule in job["rules"]:
            assert set(rule) <= {"if", "variables", "when", "changes", "exists", "allow_failure"}


@pytest.mark.parametrize("commands", [github_commands(), gitlab_commands()])
@pytest.mark.parametrize("profile", ["pull-request", "release"])
def test_the_commands_run_as_they_stand_in_ci(
    own: Path,  # noqa: F811
    tmp_path: Path,
    commands: list[list[str]],
    profile: str,
) -> None:
    if not (own / "golden").exists():
        assert run("pytest --robust-spec specs/net.yaml --robust-update --robust-reason=first", own).returncode == 0
    ours = [command for command in commands if command[0] in {"pytest", "pytest-robust"}]
    assert [command[0] for command in ours] == ["pytest-robust", "pytest"]
    others = {command[0] for command in commands} - {"pytest", "pytest-robust"}
    assert others <= {"pip", "gh"}
    for command in ours:
        done = run(
            shlex.join(command).replace("'--robust-profile=$PROFILE'", "--robust-profile=$PROFILE"),
            own,
            CI="true",
            PROFILE=profile,
            GITHUB_ACTIONS="true",
            GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"),
        )
        assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((own / "report.json").read_text())
    assert report["run"]["profile"] == profile
    assert report["run"]["complete"] is True
    assert len(report["cells"]) == (5 if profile == "pull-request" else 12)
    assert (tmp_path / "summary.md").read_text() == (own / "report.md").read_text()
    assert (own / "report.md").stat().st_size < 60_000


def test_the_matrix_and_the_merge_run_as_they_stand_in_ci(own: Path, tmp_path: Path) -> None:  # noqa: F811
    if not (own / "golden").exists():
        assert run("pytest --robust-spec specs/net.yaml --robust-update --robust-reason=first", own).returncode == 0
    for path in own.glob("report.*"):
        path.unlink()
    jobs = read(SHARDS)["jobs"]
    numbers = jobs["shard"]["strategy"]["matrix"]["shard"]
    assert jobs["merge"]["needs"] == "shard"
    gate, merge = (
        next(step["run"] for step in steps(SHARDS, job) if step.get("name") == name)
        for job, name in (("shard", "Gate"), ("merge", "Merge"))
    )
    assert f"--robust-shard=$SHARD/{len(numbers)} " in gate
    assert numbers == list(range(1, len(numbers) + 1))
    summary = tmp_path / "summary.md"
    for command, shard in (*((gate, number) for number in numbers), (merge, 0)):
        done = run(command, own, CI="true", SHARD=str(shard), GITHUB_STEP_SUMMARY=str(summary))
        assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((own / "report.json").read_text())
    assert report["run"]["complete"] is True
    assert len(report["cells"]) == 12
    assert summary.read_text().endswith((own / "report.md").read_text())
    kept = steps(SHARDS, "shard")[-1]["with"]["path"]
    assert {path.name for path in own.glob(kept)} == {
        f"shard-{number}.{suffix}" for number in numbers for suffix in ("json", "npz")
    }
