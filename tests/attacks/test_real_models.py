"""Real CIFAR-10 networks: a plainly trained one breaks, an adversarially trained one holds, as they should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pytest_robust.attacks import CarliniWagner, ProjectedGradient, check_twin, confirm, craft
from pytest_robust.metrics.attacks import AttackSuccess, attack_success
from pytest_robust.spec.plan import Preprocess
from tests.attacks.conftest import Source, source_of

EPSILON = 2 / 255
PREPROCESS = {
    "cifar10_resnet20": Preprocess(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "cifar10_resnet8_fp32": Preprocess(scale=1.0, layout="nhwc"),
    "cifar10_resnet20_int8": Preprocess(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    "cifar10_resnet2b_advtrained": Preprocess(mean=(0.4914, 0.4822, 0.4465), std=(0.2471, 0.2435, 0.2616)),
}


def opened(shared: Path, name: str, count: int = 16) -> Source:
    with np.load(shared / "cifar10" / "test_lossless_100.npz") as arrays:
        canvases, labels = arrays["x"][:count], arrays["y"][:count]
    ids = tuple(map(str, range(count)))
    return source_of(shared / "models" / f"{name}.onnx", canvases, labels, ids, PREPROCESS[name])


def outcome(source: Source, attack: ProjectedGradient | CarliniWagner) -> AttackSuccess:
    samples = source.samples
    made = confirm(source.predict, craft(attack, source.victim, samples), samples)
    return attack_success(samples.predicted == samples.labels, made.attacked, made.success, made.distortions)


@pytest.mark.parametrize("name", PREPROCESS)
def test_training_against_attacks_shows(shared_data: Path, name: str) -> None:
    source = opened(shared_data, name)
    least = 0.85 if name.endswith("int8") else 0.99
    check_twin(source.victim, source.samples.canvases, source.samples.predicted.astype(np.uint16), least=least)
    made = outcome(source, ProjectedGradient(EPSILON, iterations=8, step=EPSILON / 4, stop_early=True))
    assert made.success_rate is not None
    if name.endswith("advtrained"):
        assert made.success_rate < 0.4
        assert made.robust_accuracy > 0.4
    else:
        assert made.success_rate > 0.85
        assert made.robust_accuracy < 0.15
    assert made.distortions is None or made.distortions["linf"].mean <= EPSILON * (1 + 1e-6)


def test_it_takes_a_larger_distortion_to_fool_the_adversarially_trained_one(shared_data: Path) -> None:
    attack = CarliniWagner(iterations=60, learning_rate=0.007, search_steps=5, initial_constant=0.1)
    plain, hardened = (
        outcome(opened(shared_data, name, 6), attack) for name in ("cifar10_resnet20", "cifar10_resnet2b_advtrained")
    )
    assert plain.success_rate == 1
    assert hardened.success_rate is not None
    assert hardened.success_rate >= 0.9
    assert plain.distortions is not None
    assert hardened.distortions is not None
    assert hardened.distortions["l2"].mean > 2 * plain.distortions["l2"].mean
