"""Reads YAML into nodes that remember their line and column.

The rules are YAML 1.2's core schema (only `true` and `false` are booleans, a date is text) on top of libyaml's
events. Keys are text as written. Duplicate keys, tags, merge keys, numbers that are not finite and documents that
aliases blow up are refused, so whatever passes is a small tree of plain values.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

import yaml

from pytest_robust.spec.problems import Place, Problems, did_you_mean, show

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_robust.spec.plan import Json

Scalar = bool | int | float | str | None

MAX_BYTES = 1 << 20
MAX_NODES = 100_000
MAX_DEPTH = 32

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LARGEST = 2**63 - 1


@dataclass(slots=True, eq=False)
class Node:
    """One value of the document; `keys` are the places of a mapping's keys.

    `size` and `height` count nodes and levels with aliases written out.
    """

    place: Place
    value: Scalar | list[Node] | dict[str, Node]
    keys: dict[str, Place] = field(default_factory=dict)
    size: int = 1
    height: int = 1

    def plain(self) -> Json:
        """The value without places."""
        value = self.value
        if isinstance(value, dict):
            return {key: node.plain() for key, node in value.items()}
        return [node.plain() for node in value] if isinstance(value, list) else value

    def get(self, key: str) -> Node | None:
        """The value under a key of a mapping."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def key(self, key: str) -> Place:
        """Where a key of this mapping stands, or the mapping itself if the key is absent."""
        return self.keys.get(key, self.place)

    def items(self) -> list[tuple[str, Place, Node]]:
        """Keys, their places and values of a mapping; nothing for any other value."""
        return [(k, self.keys[k], v) for k, v in self.value.items()] if isinstance(self.value, dict) else []

    def rows(self) -> list[Node]:
        """The elements of a list; the node itself for a single value."""
        return self.value if isinstance(self.value, list) else [self]


def load(path: Path, problems: Problems) -> tuple[Node, str]:
    """Read a spec file.

    Returns:
        The document's root (a mapping) and the sha256 of the file's bytes.

    Raises:
        SpecError: the file cannot be read, is not UTF-8 or YAML, is empty, too large or no mapping.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        problems.fail((1, 1), "this is a folder; name a YAML file")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        problems.fail((1, 1), f"cannot be read: {reason}")
    if len(data) > MAX_BYTES:
        problems.fail((1, 1), f"larger than {MAX_BYTES >> 20} MiB, which no spec needs; is it another kind of file?")
    root = compose(_decode(data, problems), problems)
    return root, hashlib.sha256(data).hexdigest()


def _decode(data: bytes, problems: Problems) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = len(before) - before.rfind(b"\n")
        place = (before.count(b"\n") + 1, column)
        problems.fail(place, "not UTF-8 text; save the file as UTF-8")
    found = _UNPRINTABLE.search(text)
    if found:
        before_text = text[: found.start()]
        place = (before_text.count("\n") + 1, len(before_text) - before_text.rfind("\n"))
        problems.fail(place, f"the character U+{ord(found[0]):04X} cannot stand in YAML; remove it")
    return text


def compose(text: str, problems: Problems) -> Node:
    """Turn YAML text into nodes.

    Raises:
        SpecError: not one YAML document, or not a mapping; what can be read on from is only noted in `problems`.
    """
    composer = _Composer(problems)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            composer.feed(event)
    except yaml.MarkedYAMLError as error:
        _refuse_syntax(error, text, problems)
    except (yaml.YAMLError, ValueError) as error:
        # ValueError: an escape such as "\UFFFFFFFF" that names no character, from the pure Python loader.
        problems.fail((1, 1), f"not valid YAML: {' '.join(str(error).split())}")
    root = composer.root
    if root is None or (root.value is None and root.size == 1):
        problems.fail((1, 1), "the spec is empty; it begins with `format: 1`")
    if not isinstance(root.value, dict):
        problems.fail(root.place, f"a spec is a mapping that begins with `format: 1`, not {show(root.value)}")
    return root


def _refuse_syntax(error: yaml.MarkedYAMLError, text: str, problems: Problems) -> NoReturn:
    mark = error.problem_mark or error.context_mark
    place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    line = text.splitlines()[place[0] - 1 : place[0]] if mark else []
    if line and "\t" in line[0][: place[1]]:
        column = line[0].index("\t") + 1
        problems.fail((place[0], column), "a tab cannot indent YAML; use spaces")
    reason = error.problem or error.context or "cannot be parsed"
    if "mapping values are not allowed" in reason:
        reason += "; a value that holds ': ' needs quotes, and siblings need the same indentation"
    problems.fail(place, f"not valid YAML: {reason}")


class _Composer:
    """Builds nodes from parser events without recursion, so that no document exhausts the stack."""

    def __init__(self, problems: Problems) -> None:
        self.root: Node | None = None
        self._problems = problems
        self._open: list[tuple[Node, str | None]] = []
        """Collections that are not closed yet, each with the key that waits for its value."""
        self._anchors: dict[str, Node] = {}
        self._budget = MAX_NODES
        self._documents = 0

    def feed(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._start(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._end()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._problems.fail(_place(event), "a spec is one YAML document; remove the `---` and what follows")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        place = _place(event)
        if event.tag is not None:
            self._tagged(place, event.tag)
        # Only a double-quoted escape can smuggle in half of a surrogate pair, which is no text.
        if event.style == '"' and not event.value.isascii() and re.search("[\ud800-\udfff]", event.value):
            self._problems.fail(place, "this text holds half of a surrogate pair, which is no character")
        if self._awaits_key():
            if event.value == "<<" and event.implicit[0]:
                self._problems.fail(
                    place, "merge keys (`<<`) are not part of YAML 1.2; use `like:`, or write the keys out"
                )
            self._key(event.value, place)
            return
        node = Node(place, self._resolve(event.value, place) if event.implicit[0] else event.value)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._put(node, place)

    def _resolve(self, text: str, place: Place) -> Scalar:
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            # Python refuses to convert absurdly long digit strings, hence the look at the length first.
            number = int(text, 0 if text[:2] in ("0o", "0x") else 10) if len(text) <= 64 else _LARGEST + 1
            if abs(number) <= _LARGEST:
                return number
            self._problems.add(place, "this whole number is too large; put quotes around it if it is text", final=True)
            return None
        if _FLOAT.fullmatch(text):
            value = float(text)
            if math.isfinite(value):
                return value
            self._problems.add(place, f"the number {show(text)[1:-1]} is too large", final=True)
            return None
        if _ENDLESS.fullmatch(text):
            self._problems.add(place, f"{text} is not a finite number", final=True)
            return None
        return text

    def _start(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        place = _place(event)
        if event.tag is not None:
            self._tagged(place, event.tag)
        if self._awaits_key():
            self._problems.fail(
                place, "a key must be text, not a list or mapping; a value that begins with { or [ needs quotes"
            )
        if len(self._open) >= MAX_DEPTH:
            self._problems.fail(place, f"nested more than {MAX_DEPTH} levels deep")
        mapping = isinstance(event, yaml.MappingStartEvent)
        node = Node(place, {} if mapping else [])
        if event.anchor:
            self._anchors[event.anchor] = node
        self._open.append((node, None))

    def _end(self) -> None:
        node, _ = self._open.pop()
        children = list(node.value.values()) if isinstance(node.value, dict) else node.value
        if isinstance(children, list):
            node.size += sum(child.size for child in children)
            node.height += max((child.height for child in children), default=0)
        self._put(node, node.place)

    def _alias(self, event: yaml.AliasEvent) -> None:
        place = _place(event)
        node = self._anchors.get(str(event.anchor))
        if node is None:
            self._problems.fail(
                place, f"no anchor '&{event.anchor}' before this alias{did_you_mean(event.anchor, self._anchors)}"
            )
        if self._awaits_key():
            self._problems.fail(place, "an alias cannot be a key; write the key out")
        if any(node is parent for parent, _ in self._open):
            self._problems.fail(place, f"the alias '*{event.anchor}' contains itself")
        if len(self._open) + node.height > MAX_DEPTH:
            self._problems.fail(place, f"nested more than {MAX_DEPTH} levels deep by aliases")
        self._budget -= node.size
        self._put(node, place)

    def _tagged(self, place: Place, tag: str) -> None:
        short = tag.replace("tag:yaml.org,2002:", "!!")
        self._problems.fail(place, f"the tag {short} has no meaning in a spec; remove it")

    def _awaits_key(self) -> bool:
        return bool(self._open) and self._open[-1][1] is None and isinstance(self._open[-1][0].value, dict)

    def _key(self, text: str, place: Place) -> None:
        node, _ = self._open[-1]
        self._open[-1] = (node, text)
        if text in node.keys:
            line, column = node.keys[text]
            self._problems.add(place, f"the key '{text}' is already given in line {line}, column {column}; remove one")
        else:
            node.keys[text] = place

    def _put(self, node: Node, place: Place) -> None:
        self._budget -= 1
        if self._budget < 0:
            self._problems.fail(place, f"more than {MAX_NODES} values (aliases counted in full); make the spec smaller")
        if not self._open:
            self.root = node
            return
        parent, key = self._open[-1]
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif isinstance(parent.value, dict) and key is not None:
            parent.value.setdefault(key, node)
            self._open[-1] = (parent, None)


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
