"""Committed digests of every shift's bytes: what holds `version` to the bytes, on any machine.

After a change that is meant, raise the shift's version and run ``python tests/shifts/test_digests.py`` to write
`digests.json` anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_robust.data.dataset import ArrayDataset, make_samples
from pytest_robust.registry import Registry
from pytest_robust.shifts import c_bar, swaps
from pytest_robust.shifts.base import PixelShift
from pytest_robust.shifts.streams import make
from pytest_robust.spec.plan import Geometry
from pytest_robust.views import resolution, swapped
from pytest_robust.views.base import View
from pytest_robust.views.resolution import SizedDataset

FILE = Path(__file__).with_name("digests.json")
SCALINGS: dict[str, list[dict[str, Any]]] = {
    "down_up": [{"interpolation": way} for way in ("bilinear", "bicubic", "nearest")],
    "zoom_crop": [{}],
    "shrink_pad": [{"pad": "constant", "fill": 128}, {"pad": "reflect"}, {"pad": "edge"}],
    "feed_scaled": [{}],
}


LP = {"0.5": 2e6, "1": 1000.0, "2": 10.0, "5": 0.7, "10": 0.3, "50": 0.15, "200": 0.13}
FOURIER: dict[str, list[dict[str, Any]]] = {
    "low_pass": [{"severity": radius} for radius in (0.5, 0.25, 0.1, 0.05)],
    "high_pass": [{"severity": radius} for radius in (0.02, 0.1, 0.3)],
    "single_frequency": [
        {"severity": amplitude, "frequency": pair} for pair in ([8, 8], [0, 22], [5, -3]) for amplitude in (0.05, 0.3)
    ],
}

VIEWS = (*swapped.VIEWS, *resolution.VIEWS)
MIXED: dict[str, list[dict[str, Any]]] = {
    "fourier": [{"alpha": alpha, "axes": axes} for axes in ("chw", "hw") for alpha in (0.6, 1)],
    "resolution": [
        {"size": size, "resize": resize, "crop": crop}
        for resize, crop in ((None, None), (None, 40), (44, 40), (50, None))
        for size in (20, 40, 64)
    ],
}


def canvases() -> NDArray[np.uint8]:
    """Three canvases of 45 x 61, from integers alone: ramps, a hash of the position, blocks of flat colour."""
    row, column, channel = np.indices((45, 61, 3), dtype=np.uint32)
    ramps = (row * 5 + column * (channel + 1) * 2) % 256
    hashed = ((row * 61 + column) * 3 + channel + 1) * np.uint32(2654435761) >> np.uint32(24)
    blocks = (row // 9 * 57 + column // 10 * 91 + (column % 3 == 1) * channel * 40) % 256
    return np.stack([ramps, hashed, blocks]).astype(np.uint8)


def write_textures(folder: Path) -> None:
    """Two frost textures in files without compression, whose bytes no version of a library changes."""
    for number, (height, width) in enumerate(((70, 90), (260, 50))):
        row, column, channel = np.indices((height, width, 3))
        texture = ((row * column // 3) % 120 + row + channel * 17 + 60 * number).astype(np.uint8)
        (folder / f"{number}.ppm").write_bytes(f"P6 {width} {height} 255\n".encode() + texture.tobytes())


def cases(shift: PixelShift, textures: str) -> list[dict[str, Any]]:
    """The parameters of each case; `textures` is the folder of `write_textures`."""
    if shift.suite == "scaling":
        return [
            {"severity": multiple, **options}
            for options, multiple in product(SCALINGS[shift.name], (0.25, 0.5, 0.7, 1.3, 2))
            if not (multiple < 1 and shift.name == "zoom_crop") and not (multiple > 1 and shift.name == "shrink_pad")
        ]
    if shift.suite == "lp-noise":
        epsilons = [LP[shift.name[1:]] * part for part in (0.1, 1)] if shift.name[1:] in LP else [0.01, 0.1]
        insides = [{"inside": inside} for inside in ("ball", "hull")] if shift.options else [{}]
        return [{"severity": epsilon, **inside} for inside, epsilon in product(insides, epsilons)]
    if shift.suite == "fourier":
        return FOURIER[shift.name]
    if shift.suite == "resolution":
        return [{"severity": size} for size in (20, 45, 64)]
    if shift.suite == "imagenet-c-bar":
        (suite,) = c_bar.SUITES
        entries = [suite.options(table=table) for table in ("imagenet", "cifar")]
        return [dict(one.parameters) for entry in entries for one in suite.expand(entry) if one.shift == shift.name]
    if shift.name == "one-per-sample":
        few = {"corruptions": ["frost", "fog"], "severities": [2, 4], "jpeg85": True, "textures": textures}
        return [{"table": 224}, {"table": 32}, {"table": 64, **few}]
    if not shift.severities:
        return [{}]
    own = {"textures": textures} if shift.name == "frost" else {}
    return [
        {"severity": severity, "table": table, **own} for table, severity in product((224, 64, 32), shift.severities)
    ]


def mixed(view: View, images: NDArray[np.uint8], parameters: dict[str, Any]) -> NDArray[np.uint8]:
    """What a view of canvases makes: of each with the next one as its partner, or on a canvas of another size."""
    if view.suite == "resolution":
        samples = make_samples([str(i) for i in range(len(images))], [0] * len(images), [b""] * len(images))
        data = SizedDataset(samples, 1, None, ArrayDataset(samples, 1, None, images), parameters["size"])
        geometry = Geometry(parameters["resize"], parameters["crop"])
        return np.stack([data.canvas(i, geometry) for i in range(len(images))])
    rule = getattr(swaps, view.name)
    pairs = zip(images, np.roll(images, -1, axis=0), strict=True)
    return np.stack([rule(one, other, parameters["alpha"], parameters["axes"]) for one, other in pairs])


def digests() -> dict[str, dict[str, Any]]:
    """Shift -> its version and the digest of each case."""
    images, ids = canvases(), ["n01440764/a.jpeg", "1", "größe/ß.png"]
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_textures(Path(folder))
        for shift in Registry().shifts():
            rows = {}
            for parameters in cases(shift, folder):
                made = make(shift, images, ids, 20, shift.resolve(parameters, 45, 61))
                name = " ".join(str(value) for key, value in parameters.items() if key != "textures")
                rows[name] = hashlib.sha256(made.tobytes()).hexdigest()[:16]
            found[f"{shift.suite}.{shift.name}"] = {"version": shift.version, "cases": rows}
    for view in VIEWS:
        rows = {}
        for parameters in MIXED[view.suite]:
            made = mixed(view, images, parameters)
            rows[" ".join(map(str, parameters.values()))] = hashlib.sha256(made.tobytes()).hexdigest()[:16]
        found[f"{view.suite}.{view.name}"] = {"version": view.version, "cases": rows}
    return found


def reduced() -> dict[str, str]:
    """An environment in which NumPy, OpenCV, libc and libjpeg keep to the oldest instructions they know."""
    from numpy._core._multiarray_umath import __cpu_dispatch__

    libc = ",".join(f"-{name}" for name in ("AVX512F", "AVX512VL", "AVX512BW", "AVX2", "FMA", "FMA4", "AVX", "SSE4_2"))
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__),
        "OPENCV_CPU_DISABLE": "SSSE3,SSE4.1,SSE4.2,POPCNT,AVX,FP16,AVX2,FMA3,AVX512-SKX,AVX512-ICL",
        "OPENCV_IPP": "disabled",
        "GLIBC_TUNABLES": f"glibc.cpu.hwcaps={libc}",
        "JSIMD_FORCENONE": "1",
    }


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    return digests()


@pytest.mark.parametrize("shift", [*Registry().shifts(), *VIEWS], ids=lambda shift: f"{shift.suite}.{shift.name}")
def test_the_bytes_are_the_committed_ones(shift: PixelShift | View, found: dict[str, dict[str, Any]]) -> None:
    committed = json.loads(FILE.read_text(encoding="utf-8"))
    name = f"{shift.suite}.{shift.name}"
    assert name in committed["shifts"], f"{name} is new: python {FILE.with_name('test_digests.py')} adds it"
    before = committed["shifts"][name]
    assert found[name]["version"] == before["version"], "the version was raised: write the digests anew"
    changed = [case for case, digest in found[name]["cases"].items() if before["cases"].get(case) != digest]
    assert not changed, (
        f"the bytes of {name} changed for {changed}: raise its version and write the digests anew. They were made "
        f"with {committed['made_with']}, here are {libraries()}"
    )
    assert found[name]["cases"].keys() == before["cases"].keys()


def test_older_instruction_sets_give_the_same_bytes(found: dict[str, dict[str, Any]]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--print"],
        capture_output=True,
        text=True,
        env=reduced(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == found


def libraries() -> dict[str, str]:
    import cv2
    import PIL
    from PIL import features

    return {
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "pillow": PIL.__version__,
        "libjpeg-turbo": str(features.version("libjpeg_turbo")),
    }


if __name__ == "__main__":
    if "--print" in sys.argv:
        print(json.dumps(digests()))
    else:
        document = {"made_with": libraries(), "shifts": digests()}
        FILE.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
