"""One cell over a million images, in one process and cut over the workers of a Ray cluster: the same bytes, and times.

python benchmarks/ray.py [IMAGES]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

SPEC = """\
format: 1
dataset: {source: npz, path: data.npz, classes: 3}
models:
  net: {path: net.onnx}
"""


def _project(folder: Path, count: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (count, 2, 2, 3), np.uint8)
    np.savez(folder / "data.npz", x=images, y=images.sum(axis=(1, 2)).argmax(axis=1))
    nodes = [helper.make_node("GlobalAveragePool", ["x"], ["m"]), helper.make_node("Flatten", ["m"], ["y"])]
    shapes = {"x": ["N", 3, "H", "W"], "y": ["N", 3]}
    image, scores = (helper.make_tensor_value_info(name, TensorProto.FLOAT, side) for name, side in shapes.items())
    graph = helper.make_graph(nodes, "mean", [image], [scores])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save_model(model, str(folder / "net.onnx"))
    (folder / "spec.yaml").write_text(SPEC)


def _run(folder: Path, engine: str) -> tuple[float, dict[str, object]]:
    options = [f"--robust-engine={engine}", "--robust-no-cache", f"--robust-report={engine}.json", "-q"]
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pytest", "--robust-spec=spec.yaml", *options], cwd=folder, check=False)
    seconds = time.perf_counter() - began
    (cell,) = json.loads((folder / f"{engine}.json").read_text())["cells"]
    return seconds, {name: value for name, value in cell.items() if name != "seconds"}


def main() -> None:
    """Run both and compare."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _project(folder, count)
        local, here = _run(folder, "local")
        ray, there = _run(folder, "ray")
        arrays = [(folder / f"{engine}.npz").read_bytes() for engine in ("local", "ray")]
    same = here == there and arrays[0] == arrays[1]
    print(f"{count} images: local {local:.1f} s, ray {ray:.1f} s, {'the same bytes' if same else 'DIFFERENT'}")
    sys.exit(not same)


if __name__ == "__main__":
    main()
