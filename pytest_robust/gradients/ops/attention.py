"""Scaled dot-product attention as one operator (opset 23 and later)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from pytest_robust.gradients.registry import ABSENT, Node, operator

if TYPE_CHECKING:
    from torch import Tensor

    from pytest_robust.gradients.registry import Kernel

_PAST = slice(4, None)


@operator("Attention", since=23)
def _attention(node: Node) -> Kernel:
    heads, shared = node.get("q_num_heads"), node.get("kv_num_heads")
    causal, scale, cap = node.get("is_causal", 0), node.get("scale"), node.get("softcap", 0.0)
    if node.outputs > 1 or any(kind != ABSENT for kind in node.types[_PAST]):
        raise node.refuse("keeps keys and values between runs")

    def kernel(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *past: Tensor | None) -> Tensor:
        flat = query.ndim == 3
        q, k, v = (_split(query, heads), _split(key, shared), _split(value, shared)) if flat else (query, key, value)
        # Grouped queries: each key and value head serves several query heads in a row.
        each = q.shape[1] // k.shape[1]
        if each > 1:
            k, v = k.repeat_interleave(each, 1), v.repeat_interleave(each, 1)
        scores = (q @ k.transpose(-1, -2)) * (scale or 1 / math.sqrt(q.shape[-1]))
        if causal:
            scores = scores.masked_fill(~torch.ones_like(scores, dtype=torch.bool).tril(), -math.inf)
        if mask is not None:
            scores = _masked(scores, mask)
        if cap:
            scores = cap * torch.tanh(scores / cap)
        made = torch.softmax(scores, dim=-1) @ v
        return made.transpose(1, 2).flatten(2) if flat else made

    return kernel


def _split(x: Tensor, heads: int) -> Tensor:
    """(B, L, heads * D) as (B, heads, L, D)."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


def _masked(scores: Tensor, mask: Tensor) -> Tensor:
    if mask.dtype == torch.bool:
        return scores.masked_fill(~mask.to(scores.device), -math.inf)
    return scores + mask
