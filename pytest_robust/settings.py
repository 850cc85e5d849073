"""Everything a run is told from outside the spec, read once: command line, then ini file, then default."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CI_VARIABLES = (
    "CI",
    "BUILD_NUMBER",
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "JENKINS_URL",
    "TF_BUILD",
    "BUILDKITE",
    "CIRCLECI",
    "TEAMCITY_VERSION",
    "TRAVIS",
    "APPVEYOR",
    "BITBUCKET_BUILD_NUMBER",
    "CODEBUILD_BUILD_ID",
    "DRONE",
)
"""Set, and not empty, by the common CI services; the first two are the ones that pytest itself asks."""

_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of one run.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        batch_size: images per inference; None lets the engine choose by image size.
        threads: cores this process may use.
        golden: folder in place of every spec's own.
        candidates: model files judged in place of the spec's, by model name.
        update: which goldens a run records: ``all`` selected ones, only ``new`` ones, or none.
        reason: why goldens change; stored with them.
        limit: images per data set of a smoke run.
        incomplete: whether planned cells that did not run are a ``note`` or ``fail`` the run.
    """

    device: str = "auto"
    batch_size: int | None = None
    threads: int = 1
    golden: Path | None = None
    profile: str | None = None
    candidates: Mapping[str, Path] = field(default_factory=dict)
    update: Literal["all", "new"] | None = None
    prune: bool = False
    reason: str | None = None
    limit: int | None = None
    reports: tuple[Path, ...] = ()
    incomplete: Literal["note", "fail"] = "note"

    @property
    def smoke(self) -> bool:
        """Whether this is a smoke run, which can fail but proves nothing."""
        return self.limit is not None

    @classmethod
    def from_config(cls, config: pytest.Config) -> Settings:
        """Read the options of a pytest run.

        Raises:
            pytest.UsageError: an option's value cannot be; the sentence names the option and the remedy.
        """
        option = config.getoption
        update: Literal["all", "new"] | None = None
        if option("robust_update"):
            update = "all"
        elif option("robust_update_new"):
            update = "new"
        if option("robust_update") and option("robust_update_new"):
            raise pytest.UsageError("--robust-update and --robust-update-new exclude each other; choose one")
        settings = cls(
            device=_one_of(_either(config, "robust_device") or "auto"),
            batch_size=_count(_either(config, "robust_batch_size"), "batch-size"),
            threads=threads_for(config),
            golden=_anchored(config, "robust_golden"),
            profile=_either(config, "robust_profile") or None,
            candidates=_candidates(config),
            update=update,
            prune=option("robust_prune"),
            reason=option("robust_reason"),
            limit=_count(option("robust_limit"), "limit"),
            reports=_reports(config),
            incomplete=_incomplete(config),
        )
        settings._refuse_contradictions()
        return settings

    def _refuse_contradictions(self) -> None:
        writes = "--robust-update" if self.update else "--robust-prune" if self.prune else None
        if writes and self.candidates:
            raise pytest.UsageError(
                f"{writes} cannot be used with --robust-model: a golden belongs to the spec's own model; "
                "change the model's path in the spec, then update"
            )
        if self.reason is not None and not self.reason.strip():
            raise pytest.UsageError("--robust-reason is empty; say in a few words why the goldens change")


def ci_variable() -> str | None:
    """The environment variable that says this run is in CI, or None."""
    return next((name for name in CI_VARIABLES if os.environ.get(name)), None)


def update_refusal(settings: Settings) -> str | None:
    """Why this run, whatever it measures, may not write goldens; None if it may."""
    if variable := ci_variable():
        return (
            f"goldens are not written in CI ({variable} is set); let this run write --robust-report=report.json and "
            "apply it on a machine of your own: pytest-robust accept report.json --reason='...'"
        )
    if settings.smoke:
        return "goldens are not written from a smoke run; leave out --robust-limit"
    if settings.profile:
        return "goldens are not written under a profile, which may leave out cells or samples; leave it out"
    return None


def threads_for(config: pytest.Config) -> int:
    """This process's share of the cores: all of them, divided by the xdist workers of this host."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) if hasattr(config, "workerinput") else 1
    return max(1, cores // max(1, workers))


def _either(config: pytest.Config, name: str) -> str | None:
    """An option's value, else its ini twin's; empty is unset."""
    value = config.getoption(name)
    return value if value is not None else config.getini(name) or None


def _one_of(device: str) -> str:
    if not _DEVICE.fullmatch(device):
        raise pytest.UsageError(f"--robust-device={device}: the device is auto, cpu, cuda or cuda:N")
    return device


def _count(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise pytest.UsageError(f"--robust-{name}={text}: a whole number of at least 1 is needed")
    return int(text)


def _anchored(config: pytest.Config, name: str) -> Path | None:
    """A folder: from the command line relative to the current folder, from the ini file to the ini file's."""
    given = config.getoption(name)
    if given is not None:
        return config.invocation_params.dir / str(given)
    found = config.getini(name)
    if not found:
        return None
    return (config.inipath.parent if config.inipath else config.rootpath) / str(found)


def _candidates(config: pytest.Config) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for text in config.getoption("robust_model") or ():
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise pytest.UsageError(f"--robust-model={text}: write NAME=PATH, as in --robust-model=resnet50=new.onnx")
        if name in found:
            raise pytest.UsageError(f"--robust-model names {name} twice; one candidate can be judged at a time")
        found[name] = config.invocation_params.dir / path
    return found


def _reports(config: pytest.Config) -> tuple[Path, ...]:
    given = config.getoption("robust_report") or config.getini("robust_report")
    paths = [config.invocation_params.dir / text for text in given]
    for path in paths:
        if path.suffix not in {".json", ".md"}:
            raise pytest.UsageError(f"--robust-report={path.name}: the suffix chooses the format; use .json or .md")
    return tuple(dict.fromkeys(paths))


def _incomplete(config: pytest.Config) -> Literal["note", "fail"]:
    value = config.getini("robust_incomplete") or ("fail" if ci_variable() else "note")
    if value == "note":
        return "note"
    if value == "fail":
        return "fail"
    raise pytest.UsageError(f"robust_incomplete = {value}: the value is note or fail")
