"""Training-side augmentations, built on the shifts: what a team trains with whose gate says that a suite is weak.

A transform is a frozen value. Called on a batch it gives the batch augmented::

    from pytest_robust.augment import AugMix

    augment = AugMix(seed=1)
    images = augment(images, ids, epoch=3)   # uint8 (N, H, W, 3), an array or a tensor; N sample ids

What a sample becomes hangs on the transform, the seed, the sample's id and the epoch alone: not on the batch, its order
or the worker that makes it. So it may stand in a `torch.utils.data.DataLoader`, where each item carries its index::

    def collate(items, epoch):
        images, labels, ids = zip(*items)
        made = augment(np.stack(images), ids, epoch)
        return torch.from_numpy(made), torch.tensor(labels)

    for epoch in range(epochs):
        this = partial(collate, epoch=epoch)
        for images, labels in DataLoader(items, 128, shuffle=True, num_workers=4, collate_fn=this):
            ...

No augmentation changes a label. torch is imported only where a tensor is given.
"""

from pytest_robust.augment.amplitude_phase import AmplitudePhasePair, AmplitudePhaseSingle
from pytest_robust.augment.augmix import AugMix
from pytest_robust.augment.base import Transform
from pytest_robust.augment.corruption import RandomCorruption
from pytest_robust.augment.random_lp import RandomLp

__all__ = [
    "AmplitudePhasePair",
    "AmplitudePhaseSingle",
    "AugMix",
    "RandomCorruption",
    "RandomLp",
    "Transform",
]
