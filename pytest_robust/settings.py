"""Everything a run is told from outside the spec, read once: command line, then ini file, then default."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from pytest_robust.cache_folder import foreign

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_robust.models.providers import CudaMode

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
_SIZE = re.compile(r"(\d+)([KMGT])?B?", re.IGNORECASE)
_SHARD = re.compile(r"([1-9]\d{0,5})/([1-9]\d{0,5})", re.ASCII)
_CACHE_SIZE = 5 << 30
_TEXTS = {
    "golden": "a folder",
    "cache": "a folder",
    "report": "a .json or .md file",
    "profile": "a profile of the spec",
    "device": "a device",
    "cuda": "a mode",
    "engine": "an engine",
}


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` parts that a run is divided into; `index` counts from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of one run.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        cuda: how a GPU computes, ``exact`` or ``fast``.
        engine: ``local``, ``ray`` or ``ray:ADDRESS``.
        batch_size: images per inference; None lets the engine choose by image size.
        threads: cores this process may use.
        golden: folder in place of every spec's own.
        candidates: model files judged in place of the spec's, by model name.
        update: which goldens a run records: ``all`` selected ones, only ``new`` ones, or none.
        reason: why goldens change; stored with them.
        limit: images per data set of a smoke run.
        shard: the part of the cells that is run; None is all of them, and the aggregates.
        cache: folder in place of pytest's own for what later runs need not measure again.
        no_cache: keep nothing for later runs.
        cache_size: bytes that the cache may take.
        incomplete: whether planned cells that did not run are a ``note`` or ``fail`` the run.
        here: the folder that pytest was started in, where the commands that are printed shall work.
    """

    device: str = "auto"
    cuda: CudaMode = "exact"
    engine: str = "local"
    batch_size: int | None = None
    threads: int = 1
    golden: Path | None = None
    profile: str | None = None
    candidates: Mapping[str, Path] = field(default_factory=dict)
    update: Literal["all", "new"] | None = None
    prune: bool = False
    reason: str | None = None
    limit: int | None = None
    shard: Shard | None = None
    reports: tuple[Path, ...] = ()
    incomplete: Literal["note", "fail"] = "note"
    here: Path = Path()
    cache: Path | None = None
    no_cache: bool = False
    cache_size: int = _CACHE_SIZE

    @property
    def smoke(self) -> bool:
        """Whether this is a smoke run, which can fail but proves nothing."""
        return self.limit is not None

    @property
    def ray_address(self) -> str | None:
        """Where the Ray cluster is; None for one on this machine alone."""
        return self.engine.partition(":")[2] or None

    @classmethod
    def from_config(cls, config: pytest.Config) -> Settings:
        """Read the options of a pytest run.

        Raises:
            pytest.UsageError: an option's value cannot be; the sentence names the option and the remedy.
        """
        option = config.getoption
        _refuse_empty(config)
        update: Literal["all", "new"] | None = None
        if option("robust_update"):
            update = "all"
        elif option("robust_update_new"):
            update = "new"
        if option("robust_update") and option("robust_update_new"):
            raise pytest.UsageError("--robust-update and --robust-update-new exclude each other; choose one")
        settings = cls(
            device=_one_of(_either(config, "robust_device") or "auto"),
            cuda=_mode(_either(config, "robust_cuda") or "exact"),
            engine=_engine(config),
            batch_size=_count(_either(config, "robust_batch_size"), "batch-size"),
            threads=threads_for(config),
            golden=_anchored(config, "robust_golden"),
            profile=_either(config, "robust_profile") or None,
            candidates=_candidates(config),
            update=update,
            prune=option("robust_prune"),
            reason=option("robust_reason"),
            limit=_count(option("robust_limit"), "limit"),
            shard=_shard(option("robust_shard")),
            reports=_reports(config),
            incomplete=_incomplete(config),
            here=config.invocation_params.dir,
            cache=_cache(config),
            no_cache=option("robust_no_cache") or (option("robust_cache") is None and config.getini("robust_no_cache")),
            cache_size=_size(_either(config, "robust_cache_size")),
        )
        settings._refuse_contradictions()
        return settings

    def cache_folder(self, config: pytest.Config) -> Path | None:
        """Where measurements wait for later runs, made if it is pytest's own; None where they do not.

        Without a folder of its own that is a part of pytest's cache, and where pytest has none, nowhere.
        """
        if self.no_cache:
            return None
        pytests_own: pytest.Cache | None = getattr(config, "cache", None)
        return self.cache or (pytests_own.mkdir("robust") if pytests_own else None)

    def _refuse_contradictions(self) -> None:
        writes = "--robust-update" if self.update else "--robust-prune" if self.prune else None
        if writes and self.candidates:
            raise pytest.UsageError(
                f"{writes} cannot be used with --robust-model: a golden belongs to the spec's own model; "
                "change the model's path in the spec, then update"
            )
        if self.engine != "local" and ":" in self.device:
            raise pytest.UsageError(
                f"--robust-device={self.device} cannot be used with --robust-engine={self.engine}: Ray hands out the "
                "GPUs; use --robust-device=cuda"
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
    if settings.shard:
        return (
            f"shard {settings.shard} holds a part of the cells; put the reports of all shards together with "
            "pytest-robust merge, and record the merged one with pytest-robust accept"
        )
    return None


def threads_for(config: pytest.Config) -> int:
    """This process's share of the cores: all of them, divided by the xdist workers of this host."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) if hasattr(config, "workerinput") else 1
    return max(1, cores // max(1, workers))


def _refuse_empty(config: pytest.Config) -> None:
    """An empty text is a variable of the caller's that is not set, and never the current folder or a default."""
    for name, what in _TEXTS.items():
        given = config.getoption(f"robust_{name}")
        if given is not None and any(not text.strip() for text in ([given] if isinstance(given, str) else given)):
            option = f"--robust-{name.replace('_', '-')}"
            raise pytest.UsageError(f"{option} is empty; name {what}, or leave the option out")


def _either(config: pytest.Config, name: str) -> str | None:
    """An option's value, else its ini twin's; empty is unset."""
    value = config.getoption(name)
    return value if value is not None else config.getini(name) or None


def _one_of(device: str) -> str:
    if not _DEVICE.fullmatch(device):
        raise pytest.UsageError(f"--robust-device={device}: the device is auto, cpu, cuda or cuda:N")
    return device


def _engine(config: pytest.Config) -> str:
    engine = _either(config, "robust_engine") or "local"
    if engine == "local":
        return engine
    if not re.fullmatch(r"ray(:.+)?", engine):
        raise pytest.UsageError(f"--robust-engine={engine}: the engine is local, ray or ray:ADDRESS")
    if hasattr(config, "workerinput") or getattr(config.option, "dist", "no") != "no":
        raise pytest.UsageError(
            f"--robust-engine={engine} cannot be used with -n: Ray spreads the work over its nodes by itself; leave "
            "out one of the two"
        )
    if find_spec("ray") is None:
        raise pytest.UsageError(f'--robust-engine={engine}: Ray is not installed: run pip install "pytest-robust[ray]"')
    return engine


def _mode(text: str) -> CudaMode:
    if text == "exact":
        return "exact"
    if text == "fast":
        return "fast"
    raise pytest.UsageError(f"--robust-cuda={text}: the mode is exact or fast")


def _count(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise pytest.UsageError(f"--robust-{name}={text}: a whole number of at least 1 is needed")
    return int(text)


def _shard(text: str | None) -> Shard | None:
    if text is None:
        return None
    match = _SHARD.fullmatch(text)
    shard = Shard(int(match[1]), int(match[2])) if match else None
    if shard is None or shard.index > shard.count:
        raise pytest.UsageError(f"--robust-shard={text}: write I/N with I from 1 to N, as in --robust-shard=2/3")
    return shard


def _anchored(config: pytest.Config, name: str) -> Path | None:
    """A folder: from the command line relative to the current folder, from the ini file to the ini file's."""
    given = config.getoption(name)
    if given is not None:
        return config.invocation_params.dir / str(given)
    found = config.getini(name)
    if not found:
        return None
    return _ini_folder(config) / str(found)


def _ini_folder(config: pytest.Config) -> Path:
    return config.inipath.parent if config.inipath else config.rootpath


def _cache(config: pytest.Config) -> Path | None:
    if config.getoption("robust_cache") is not None and config.getoption("robust_no_cache"):
        raise pytest.UsageError("--robust-cache and --robust-no-cache exclude each other; choose one")
    folder = _anchored(config, "robust_cache")
    if folder is not None and foreign(folder):
        raise pytest.UsageError(f"--robust-cache: {folder} holds other things; name a new or an empty folder")
    return folder


def _size(text: str | None) -> int:
    if text is None:
        return _CACHE_SIZE
    match = _SIZE.fullmatch(text.strip())
    if not match or not int(match[1]):
        raise pytest.UsageError(f"--robust-cache-size={text}: write bytes, or a number with K, M, G or T, as in 5G")
    return int(match[1]) << 10 * " KMGT".index((match[2] or " ").upper())


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
    given = config.getoption("robust_report")
    base = config.invocation_params.dir if given else _ini_folder(config)
    paths = [base / text for text in given or config.getini("robust_report")]
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
