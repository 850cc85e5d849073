"""The `--robust-*` options and their ini twins, as pytest's help shows them; `settings` reads what they are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def add_options(parser: pytest.Parser) -> None:
    """Declare all of them."""
    group = parser.getgroup("robust", "robustness regression testing (pytest-robust)")
    add = group.addoption
    add(
        "--robust-spec",
        metavar="PATH",
        action="append",
        default=[],
        help="collect this spec; repeatable. Without positional arguments nothing else is collected.",
    )
    add("--robust-golden", metavar="DIR", default=None, help="golden folder, in place of the spec's own")
    add(
        "--robust-device",
        metavar="DEVICE",
        default=None,
        help="auto (default), cpu, cuda or cuda:N; cuda fails where CUDA cannot be had",
    )
    add(
        "--robust-cuda",
        metavar="MODE",
        default=None,
        help="exact (default): a GPU computes in full float32, with kernels chosen by rule; fast: in TF32, with the "
        "kernels that were timed as the fastest, so that near ties may fall otherwise in the next run. Recorded with "
        "every measurement",
    )
    add(
        "--robust-model",
        metavar="NAME=PATH",
        action="append",
        default=None,
        help="judge this file in place of the spec's model NAME; repeatable",
    )
    add(
        "--robust-engine",
        metavar="ENGINE",
        default=None,
        help="local (default), ray for a Ray cluster on this machine alone, or ray:ADDRESS for one that runs already "
        "(ray:auto, ray:HOST:PORT), of which this machine is a node. Models are sent to the nodes; images are not: "
        "every node must see them under the same path",
    )
    add("--robust-profile", metavar="NAME", default=None, help="apply this profile of the spec")
    add("--robust-update", action="store_true", help="record what the selected cells measure as their golden")
    add("--robust-update-new", action="store_true", help="record goldens only for cells that have none")
    add("--robust-prune", action="store_true", help="remove goldens that the spec no longer defines")
    add(
        "--robust-reason",
        metavar="TEXT",
        default=None,
        help="why the goldens change; needed where one gets worse",
    )
    add(
        "--robust-limit",
        metavar="N",
        default=None,
        help="smoke run on N images: proves nothing, updates nothing",
    )
    add(
        "--robust-shard",
        metavar="I/N",
        default=None,
        help="run the I-th of N parts of the cells, whole shifts together, on as many machines; "
        "`pytest-robust merge` proves their reports complete and judges the aggregates",
    )
    add(
        "--robust-report",
        metavar="PATH",
        action="append",
        default=None,
        help="write a report, .json or .md; repeatable",
    )
    add("--robust-batch-size", metavar="N", default=None, help="images per inference (default: by image size)")
    add(
        "--robust-cache",
        metavar="DIR",
        default=None,
        help="keep measurements and decoded images there, so that what did not change is not measured again "
        "(default: in pytest's own cache folder)",
    )
    add("--robust-no-cache", action="store_true", help="measure everything anew, and keep nothing for later runs")
    add(
        "--robust-cache-size",
        metavar="SIZE",
        default=None,
        help="bytes that the cache may take, as in 500M or 2G (default: 5G); what was used longest ago goes first",
    )
    parser.addini(
        "robust_files",
        "specs collected from folders: patterns relative to the ini file",
        "args",
        default=["*.robust.yaml"],
    )
    parser.addini("robust_golden", "twin of --robust-golden, relative to the ini file")
    parser.addini("robust_device", "twin of --robust-device")
    parser.addini("robust_cuda", "twin of --robust-cuda")
    parser.addini("robust_engine", "twin of --robust-engine")
    parser.addini("robust_profile", "twin of --robust-profile")
    parser.addini("robust_report", "twin of --robust-report", "args", default=[])
    parser.addini("robust_incomplete", "planned cells that did not run: note, or fail (the default under CI)")
    parser.addini("robust_batch_size", "twin of --robust-batch-size")
    parser.addini("robust_cache", "twin of --robust-cache, relative to the ini file")
    parser.addini("robust_no_cache", "twin of --robust-no-cache; --robust-cache overrules it", "bool", default=False)
    parser.addini("robust_cache_size", "twin of --robust-cache-size")
