"""One entry on disk: written whole or not at all, and believed only if its digest agrees."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def pack(plain: Mapping[str, Any]) -> bytes:
    """Plain values (int, float, str, bytes, list, dict) as bytes that begin with their own sha256."""
    body = json.dumps(plain, default=_encode).encode()
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def unpack(content: bytes) -> dict[str, Any] | None:
    """What `pack` was given; None where a byte differs from what it made."""
    digest, _, body = content.partition(b"\n")
    if digest != hashlib.sha256(body).hexdigest().encode():
        return None
    plain: dict[str, Any] = json.loads(body, object_hook=_decode)
    return plain


def write(path: Path, content: bytes) -> None:
    """Put a file in its place in one step; a reader sees all of it or what was there before.

    Raises:
        OSError: it cannot be written.
    """
    temporary = temporary_for(path)
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_for(path: Path) -> Path:
    """A new name beside `path`, which no other process on any host writes to."""
    return path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")


def _encode(value: Any) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} is not a plain value")


def _decode(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["base64"]) if value.keys() == {"base64"} else value
