"""What holds for every transform, and what each is by its paper."""

from __future__ import annotations

import pickle
import subprocess
import sys
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from torch.utils.data import DataLoader

from pytest_robust.augment import (
    AmplitudePhasePair,
    AmplitudePhaseSingle,
    AugMix,
    RandomCorruption,
    RandomLp,
    Transform,
)
from pytest_robust.augment.base import CHOICE, generator
from pytest_robust.augment.operations import NINE, OPERATIONS, augmented
from pytest_robust.augment.random_lp import TRAINING_SETS
from pytest_robust.data import digits_arrays
from pytest_robust.errors import RobustError
from pytest_robust.registry import pixel_shift
from pytest_robust.shifts.imagenet_c import shares
from pytest_robust.shifts.lp_sets import SETS
from pytest_robust.shifts.rng import Streams

EACH = [AugMix(), RandomLp(), RandomCorruption(), AmplitudePhaseSingle()]
ALL = [*EACH, AmplitudePhasePair()]
IMAGES = np.random.default_rng(1).integers(0, 256, (24, 32, 32, 3), np.uint8)
IDS = [f"image-{i}" for i in range(24)]


def named(transform: Transform) -> str:
    return transform.name


def streams(transform: Transform, ids: list[str], epoch: int = 0) -> list[Any]:
    each = Streams(transform.seed, transform.name, {"epoch": epoch})
    return [each.for_id(one) for one in ids]


@pytest.mark.parametrize("transform", ALL, ids=named)
class TestAll:
    def test_arrays_and_tensors_alike(self, transform: Transform) -> None:
        before = IMAGES.copy()
        made = transform(IMAGES, IDS)
        assert made.dtype == np.uint8
        assert made.shape == IMAGES.shape
        assert not np.shares_memory(made, IMAGES)
        assert np.array_equal(IMAGES, before)
        assert not np.array_equal(made, IMAGES)
        as_tensor = transform(torch.from_numpy(IMAGES), IDS)
        assert np.array_equal(as_tensor.numpy(), made)
        turned = np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
        assert np.array_equal(transform(turned, IDS), made)

    def test_the_twin_of_a_device(self, transform: Transform) -> None:
        made = transform.on_device(torch.from_numpy(IMAGES), streams(transform, IDS)).numpy()
        assert np.mean(np.abs(made.astype(int) - transform(IMAGES, IDS)) <= 1) > 0.999

    def test_order_seed_and_epoch(self, transform: Transform) -> None:
        made, order = transform(IMAGES, IDS, epoch=2), np.random.default_rng(2).permutation(24)
        assert np.array_equal(transform(IMAGES[order], [IDS[i] for i in order], epoch=2), made[order])
        assert not np.array_equal(transform(IMAGES, IDS, epoch=3), made)
        assert not np.array_equal(type(transform)(seed=1)(IMAGES, IDS, epoch=2), made)
        assert np.array_equal(
            type(transform)(seed=np.int64(0))(  # type: ignore[arg-type]
                IMAGES, IDS, epoch=2
            ),
            made,
        )
        numbered = transform(IMAGES, range(24))
        for same in ([str(i) for i in range(24)], torch.arange(24), np.arange(24), list(torch.arange(24))):
            assert np.array_equal(transform(IMAGES, same), numbered)
        for wrong in (1.5, "3"):
            with pytest.raises(ValueError, match=f"the epoch is a whole number, not {wrong!r}"):
                transform(IMAGES, IDS, wrong)  # type: ignore[arg-type]
        assert np.array_equal(pickle.loads(pickle.dumps(transform))(IMAGES, IDS, epoch=2), made)

    def test_an_empty_batch(self, transform: Transform) -> None:
        assert transform(IMAGES[:0], []).shape == (0, 32, 32, 3)

    @pytest.mark.parametrize(
        ("images", "ids", "sentence"),
        [
            (IMAGES / 255, IDS, "must be uint8 .* not float64; augment before normalising"),
            (torch.zeros(2, 8, 8, 3), IDS[:2], "must be uint8 .* not torch.float32"),
            (IMAGES[0], IDS[:1], r"shape \(N, H, W, 3\), not \(32, 32, 3\)"),
            (IMAGES.transpose(0, 3, 1, 2), IDS, r"not \(24, 3, 32, 32\)"),
            (IMAGES, IDS[:3], "there are 3 ids for 24 images"),
            ([1], ["a"], "array or tensor .* not list"),
            (IMAGES[:2], torch.tensor([0.0, 1.0]), r"a sample's id is a name or a whole number, not tensor\(0\.\)"),
            (IMAGES[:2], [0, 1.5], "a sample's id is a name or a whole number, not 1.5"),
            (IMAGES[:2], [b"a", b"b"], "a sample's id is a name or a whole number, not b'a'"),
            (IMAGES[:2], "ab", "ids must be a sequence of names or whole numbers, not 'ab'"),
            (IMAGES[:2], None, "ids must be a sequence of names or whole numbers, not None"),
        ],
    )
    def test_what_is_no_batch(self, transform: Transform, images: Any, ids: list[str], sentence: str) -> None:
        with pytest.raises(ValueError, match=sentence):
            transform(images, ids)


@settings(max_examples=10, deadline=None)
@given(chosen=st.lists(st.integers(0, 23), min_size=1, max_size=9), epoch=st.integers(0, 1000))
@pytest.mark.parametrize("transform", EACH, ids=named)
def test_a_sample_hangs_on_itself_alone(transform: Transform, chosen: list[int], epoch: int) -> None:
    made = transform(IMAGES[chosen], [IDS[i] for i in chosen], epoch)
    for one, position in zip(made, chosen, strict=True):
        assert np.array_equal(transform(IMAGES[[position]], [IDS[position]], epoch)[0], one)


class Numbered:
    """A data set as its items carry their index."""

    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], int, int]:
        return IMAGES[index], index % 10, index


def collate(items: list[Any], transform: Transform, epoch: int) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
    images, labels, ids = zip(*items, strict=True)
    made = transform(np.stack(images), ids, epoch)
    return torch.from_numpy(made), torch.tensor(labels), list(ids)


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_in_a_data_loader_workers_and_batches_do_not_matter() -> None:
    transform = AugMix(seed=4)
    whole = transform(IMAGES, range(24), 5)
    for workers, size in ((0, 7), (2, 5)):
        this = partial(collate, transform=transform, epoch=5)
        loader: Any = DataLoader(
            Numbered(),  # type: ignore[arg-type]
            size,
            shuffle=True,
            num_workers=workers,
            collate_fn=this,
            generator=torch.Generator().manual_seed(workers),
        )
        seen = []
        for images, labels, ids in loader:
            assert np.array_equal(images.numpy(), whole[ids])
            assert labels.tolist() == [one % 10 for one in ids]
            seen += ids
        assert sorted(seen) == list(range(24))


def test_importing_them_loads_neither_torch_nor_pillow_nor_opencv() -> None:
    heavy = "[one for one in ('torch', 'PIL', 'cv2', 'scipy', 'onnxruntime') if one in sys.modules]"
    code = f"import sys, pytest_robust.augment; found = {heavy}; sys.exit(' '.join(found) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


class TestAugMix:
    @pytest.mark.parametrize("alpha", [1.0, 2.5])
    def test_weights_by_their_laws(self, alpha: float) -> None:
        transform = AugMix(alpha=alpha)
        drawn = [transform.weights(generator(one)) for one in streams(transform, [str(i) for i in range(2000)])]
        weights, mixed = np.array([one[0] for one in drawn]), np.array([one[1] for one in drawn])
        assert np.allclose(weights.sum(axis=1), 1)
        assert stats.kstest(mixed, stats.beta(alpha, alpha).cdf).pvalue > 1e-3
        for chain in weights.T:
            assert stats.kstest(chain, stats.beta(alpha, 2 * alpha).cdf).pvalue > 1e-3, "a Dirichlet's margin"

    def test_it_is_the_papers_mixture(self) -> None:
        transform = AugMix(width=2, depth=(2, 4), severity=3, all_operations=False)
        made = transform(IMAGES, IDS)
        for found, image, one in zip(made, IMAGES, streams(transform, IDS), strict=True):
            random = generator(one)
            weights, share = random.dirichlet([1, 1]), random.beta(1, 1)
            chains = [augmented(image, random, 3, NINE, int(random.integers(2, 5))).astype(float) for _ in weights]
            mixture = sum(weight * chain for weight, chain in zip(weights, chains, strict=True))
            assert np.array_equal(found, np.rint((1 - share) * image + share * mixture))

    def test_black_stays_black(self) -> None:
        """Every operation keeps black below the severity that solarises it."""
        black = np.zeros_like(IMAGES)
        assert np.array_equal(AugMix()(black, IDS), black)

    def test_chains_have_every_depth(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[str] = []
        for name, operation in OPERATIONS.items():

            def counted(image: Any, share: float, sign: int, name: str = name, operation: Any = operation) -> Any:
                seen.append(name)
                assert 0.01 <= share <= 0.5
                return operation(image, share, sign)

            monkeypatch.setitem(OPERATIONS, name, counted)
        lengths = []
        for i in range(300):
            seen.clear()
            AugMix(width=1)(IMAGES[:1], [i])
            lengths.append(len(seen))
        assert stats.chisquare(np.bincount(lengths, minlength=4)[1:]).pvalue > 1e-3
        seen.clear()
        AugMix(width=30)(IMAGES, IDS)
        counts = [seen.count(name) for name in OPERATIONS]
        assert stats.chisquare(counts).pvalue > 1e-3
        seen.clear()
        AugMix(all_operations=False)(IMAGES, IDS)
        assert set(seen) == set(NINE)

    @pytest.mark.parametrize(
        ("parameters", "sentence"),
        [
            ({"width": 0}, "a whole number of 1 or more as width, not 0"),
            ({"width": 2.5}, "a whole number of 1 or more as width, not 2.5"),
            ({"depth": (3, 1)}, r"as depth, as in \(1, 3\), not \(3, 1\)"),
            ({"depth": 3}, r"as depth, as in \(1, 3\), not 3"),
            ({"depth": (1, 2, 3)}, r"not \(1, 2, 3\)"),
            ({"depth": (1.5, 2)}, r"not \(1.5, 2\)"),
            ({"alpha": float("inf")}, "an alpha above 0 and up to 1,000,000, not inf"),
            ({"alpha": "1"}, "an alpha above 0 and up to 1,000,000, not '1'"),
            ({"severity": "3"}, "severity above 0.1 and up to 10, not '3'"),
            ({"seed": 1.5}, "AugMix takes a whole number as seed, not 1.5"),
            ({"severity": 11}, "severity above 0.1 and up to 10, not 11"),
            ({"severity": float("nan")}, "severity above 0.1"),
            ({"alpha": 0}, "an alpha above 0 and up to 1,000,000, not 0"),
        ],
    )
    def test_refused(self, parameters: dict[str, Any], sentence: str) -> None:
        with pytest.raises(RobustError, match=sentence):
            AugMix(**parameters)


def recombined(amplitude: NDArray[np.uint8], phase: NDArray[np.uint8]) -> NDArray[np.float64]:
    """By the paper's formula, over all three axes."""
    there, here = np.fft.fftn(amplitude.astype(float)), np.fft.fftn(phase.astype(float))
    levels = np.fft.ifftn(np.abs(there) * np.exp(1j * np.angle(here))).real
    return np.clip(np.rint(levels), 0, 255)


class TestAmplitudePhase:
    def test_pairs_are_one_circle_of_recombined_images(self) -> None:
        made = AmplitudePhasePair(probability=1)(IMAGES[:8], IDS[:8])
        given = np.zeros(8, int)
        for own in range(8):
            off = [np.abs(made[own] - recombined(IMAGES[other], IMAGES[own])).mean() for other in range(8)]
            given[own] = int(np.argmin(off))
            assert off[given[own]] < 0.01
        assert sorted(given) == list(range(8))
        place, steps = int(given[0]), 1
        while place != 0:
            place, steps = int(given[place]), steps + 1
        assert steps == 8

    def test_the_phase_owner_keeps_its_label(self) -> None:
        """Of two digits recombined, the nearest clean image by its phase is the one whose label is kept."""
        digits, labels, _ = digits_arrays("test")
        chosen = [int(np.flatnonzero(labels == label)[0]) for label in range(10)]
        canvases = np.repeat(np.repeat(digits[chosen], 2, 1), 2, 2)
        canvases = canvases if canvases.shape[-1] == 3 else np.repeat(canvases[..., None], 3, -1)
        made = AmplitudePhasePair(probability=1, seed=3)(canvases, range(10))
        for own, one in enumerate(made):
            likeness = [np.corrcoef(one.ravel(), other.ravel())[0, 1] for other in canvases]
            assert int(np.argmax(likeness)) == own

    def test_probability_and_a_lone_image(self) -> None:
        small = np.random.default_rng(0).integers(0, 256, (1500, 4, 4, 3), np.uint8)
        made = AmplitudePhasePair()(small, range(1500))
        changed = int((made != small).any(axis=(1, 2, 3)).sum())
        assert stats.binomtest(changed, 1500, 0.6).pvalue > 1e-3
        assert np.array_equal(AmplitudePhasePair(probability=0)(IMAGES, IDS), IMAGES)
        alone = AmplitudePhasePair(probability=1)(IMAGES[:1], ["a"])
        assert np.array_equal(alone, IMAGES[:1]), "its own amplitude and its own phase"
        with pytest.raises(RobustError, match="a probability from 0 to 1, not 2"):
            AmplitudePhasePair(probability=2)

    def test_single_by_hand(self) -> None:
        transform = AmplitudePhaseSingle()
        ids = [str(i) for i in range(200)]
        images = IMAGES[np.arange(200) % 24, :8, :8]
        kinds = {"first": 0, "phase of the first": 0, "phase of the second": 0}
        for found, image, one in zip(transform(images, ids), images, streams(transform, ids), strict=True):
            random = generator(one)
            first = augmented(image, random, 3, NINE)
            if random.random() < 0.5:
                kinds["first"] += 1
                assert np.array_equal(found, first)
                continue
            second = augmented(first, random, 3, NINE)
            if random.random() < 0.5:
                kinds["phase of the first"] += 1
                expected = recombined(second, first)
            else:
                kinds["phase of the second"] += 1
                expected = recombined(first, second)
            # zeros of a spectrum have no phase that two programs agree on
            assert np.mean(np.abs(found - expected) <= 1) > 0.97
        assert stats.chisquare(list(kinds.values()), [100, 50, 50]).pvalue > 1e-3
        for severity in (0, "3"):
            with pytest.raises(RobustError, match="AmplitudePhaseSingle takes a severity above"):
                AmplitudePhaseSingle(severity=severity)  # type: ignore[arg-type]


class TestRandomLp:
    def test_the_papers_sets(self) -> None:
        counts = {
            name: {data: sum(map(len, norms.values())) for data, norms in found.items()}
            for name, found in TRAINING_SETS.items()
        }
        for name, count in (("C1", 90), ("C2", 30), ("C3", 45)):
            assert counts[name] == {"cifar": count, "tinyimagenet": count}
        assert counts["C1C1"] == {"cifar": 4}
        assert TRAINING_SETS["C1"]["cifar"] == SETS["lp-test", "cifar"]
        assert set(TRAINING_SETS["C2"]["cifar"]) == {"linf", "l2", "l0"}
        assert TRAINING_SETS["C3"]["cifar"]["l2"] == (0.25, 0.5, 0.75, 1, 1.5)

    def test_what_is_drawn_is_the_shift_and_drawn_evenly(self) -> None:
        asked = {"l2": (0.5, 1.0), "l0": (0.01,), "linf": (0.02,), "l0linear": (0.03,)}
        transform, ids = RandomLp(noise=asked), [str(i) for i in range(1000)]
        grey = np.full((1000, 12, 12, 3), 128, np.uint8)
        made, counts = transform(grey, ids), np.zeros(5, int)
        cells = [(name, epsilon) for name, epsilons in asked.items() for epsilon in epsilons]
        for found, one in zip(made, streams(transform, ids), strict=True):
            low, high = one.uint16(2, lane=CHOICE).tolist()
            cell = (high << 16 | low) * 5 >> 32
            counts[cell] += 1
            shift = pixel_shift("lp-noise", cells[cell][0])
            numbers = shift.resolve({"severity": cells[cell][1]}, 12, 12)
            assert np.array_equal(found, shift.apply(grey[:1], [one], **numbers)[0])
        assert stats.chisquare(counts).pvalue > 1e-3

    @pytest.mark.parametrize(("name", "p", "epsilon"), [("l2", 2, 1.0), ("l1", 1, 100.0), ("linf", np.inf, 0.05)])
    def test_noise_stays_in_its_ball(self, name: str, p: float, epsilon: float) -> None:
        """On mid-grey, where nothing clips; half a level per value is what rounding may add."""
        grey = np.full((40, 32, 32, 3), 128, np.uint8)
        noise = (RandomLp(noise={name: (epsilon,)})(grey, range(40)) - 128.0).reshape(40, -1) / 255
        sizes = np.linalg.norm(noise, ord=p, axis=1)
        half = np.linalg.norm(np.full(3072, 0.5 / 255), ord=p)
        assert (sizes <= epsilon + half).all()
        assert (sizes > 0.7 * epsilon).all()
        struck = RandomLp(noise={"l0": (0.05,)})(grey, range(40)) != 128
        assert (struck.sum(axis=(1, 2, 3)) == round(0.05 * 3072)).all()

    def test_epsilon_0_is_clean(self) -> None:
        transform = RandomLp(noise={"l2": (0, 2)})
        kept = (transform(IMAGES[:1].repeat(400, 0), range(400)) == IMAGES[0]).all(axis=(1, 2, 3))
        assert stats.binomtest(int(kept.sum()), 400, 0.5).pvalue > 1e-3

    @pytest.mark.parametrize(
        ("parameters", "sentence"),
        [
            ({"noise": "C4"}, "no set 'C4'; it has C1, C2, C3, C1C1"),
            ({"noise": "C1C1", "data": "tinyimagenet"}, "the set C1C1 is for cifar, not 'tinyimagenet'"),
            ({"noise": {"l3": (1,)}}, "no noise 'l3'; it has l0, "),
            ({"noise": {"linf": (2,)}}, "linf takes an epsilon from 0 to 1 .* not 2"),
            ({"noise": {}}, "no epsilon to draw"),
            ({"noise": None}, r"a set of the paper or epsilons by norm, as in \{'l2': \(0.5, 1\)\}, not None"),
            ({"noise": {"l2": 1}}, r"several epsilons of l2, as in \(1,\), not 1"),
            ({"data": ["cifar"]}, r"for cifar and tinyimagenet, not \['cifar'\]"),
        ],
    )
    def test_refused(self, parameters: dict[str, Any], sentence: str) -> None:
        with pytest.raises(RobustError, match=sentence):
            RandomLp(**parameters)

    def test_a_set_is_for_its_size(self) -> None:
        with pytest.raises(RobustError, match="epsilons for cifar, 32x32 pixels, and the images have 16x32"):
            RandomLp()(IMAGES[:, :, :16], IDS)
        assert RandomLp(data="tinyimagenet")(np.repeat(np.repeat(IMAGES[:2], 2, 1), 2, 2), IDS[:2]).any()


class TestRandomCorruption:
    def test_it_is_the_suites_corruption_of_15_in_16(self) -> None:
        transform, ids = RandomCorruption(), [str(i) for i in range(1200)]
        images = IMAGES[np.arange(1200) % 24, :12, :12]
        made, bits = transform(images, ids), streams(transform, ids)
        kept = (made == images).all(axis=(1, 2, 3))
        assert stats.binomtest(int(kept.sum()), 1200, 1 / 16).pvalue > 1e-3
        names = [variant.name for variant, _, _ in shares(bits, **transform._numbers(12, 12))]
        assert len(set(names)) == 15
        checked = 0
        for shift, mine, numbers in shares(bits[:150], **transform._numbers(12, 12)):
            for position in mine:
                if not kept[position]:
                    alone = shift.apply(images[[position]], [bits[position]], **numbers)[0]
                    assert np.array_equal(made[position], alone)
                    checked += 1
        assert checked > 120

    def test_chosen_corruptions_and_severities(self) -> None:
        fog = pixel_shift("imagenet-c", "fog")
        transform = RandomCorruption(probability=1, corruptions=("fog",), severities=(4,), table=32)
        numbers = fog.resolve({"severity": 4, "table": 32}, 32, 32)
        made = fog.apply(IMAGES, streams(transform, IDS), **numbers)
        assert np.array_equal(transform(IMAGES, IDS), made)
        assert np.array_equal(RandomCorruption(probability=0)(IMAGES, IDS), IMAGES)

    @pytest.mark.parametrize(
        ("parameters", "sentence"),
        [
            ({"probability": 1.5}, "a probability from 0 to 1, not 1.5"),
            ({"probability": "x"}, "a probability from 0 to 1, not 'x'"),
            ({"severities": 3}, r"takes several severities, as in \(3,\), not 3"),
            ({"corruptions": "fog"}, r"takes several corruptions, as in \('fog',\), not 'fog'"),
            ({"seed": "1"}, "RandomCorruption takes a whole number as seed, not '1'"),
            ({"corruptions": ("mist",)}, "RandomCorruption: .* not 'mist'"),
            ({"severities": (6,)}, "RandomCorruption: .* not 6"),
            ({"table": 100}, "RandomCorruption: .* not 100"),
        ],
    )
    def test_refused(self, parameters: dict[str, Any], sentence: str) -> None:
        with pytest.raises(RobustError, match=sentence):
            RandomCorruption(**parameters)
