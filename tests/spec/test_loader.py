from __future__ import annotations

import math
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_robust.errors import SpecError
from pytest_robust.spec import loader
from pytest_robust.spec.build import load_plan
from pytest_robust.spec.catalog import Catalog
from pytest_robust.spec.loader import Node, compose, load
from pytest_robust.spec.problems import Problems
from tests.spec.conftest import Load, Refuse

GOOD = "format: 1\nmodels: {a: {path: a.onnx}}\n"


def root(text: str) -> Node:
    problems = Problems("s")
    node = compose(text, problems)
    problems.stop()
    return node


def value(text: str) -> object:
    node = root(f"k: {text}\n").get("k")
    assert node is not None
    return node.plain()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("off", "off"),
        ("No", "No"),
        ("~", None),
        ("null", None),
        ("", None),
        ("12", 12),
        ("-0", 0),
        ("010", 10),
        ("0o17", 15),
        ("0xff", 255),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2030-01-31", "2030-01-31"),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("5.", 5.0),
        ("+1.5E2", 150.0),
        ("'12'", "12"),
        ('"true"', "true"),
        ("inf", "inf"),
        ("nan", "nan"),
        ("9f3c", "9f3c"),
        ("[1, [a]]", [1, ["a"]]),
        ("|\n  two\n  lines", "two\nlines\n"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, expected: object) -> None:
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_that_python_prints_is_read_back(number: float) -> None:
    assert value(repr(number)) == number


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_every_64_bit_integer_is_read_back(number: int) -> None:
    assert value(str(number)) == number


def test_keys_stay_text_as_written() -> None:
    assert root("k: {2: a, 0.50: b, true: c, inf: d}").plain() == {
        "k": {"2": "a", "0.50": "b", "true": "c", "inf": "d"}
    }


def test_places_of_keys_and_values() -> None:
    node = root("a: 1\nb:\n  - x\n  - {c: [y,\n      z]}\n")
    assert node.keys == {"a": (1, 1), "b": (2, 1)}
    b = node.get("b")
    assert b is not None
    first, second = b.rows()
    assert (first.place, second.place, second.key("c")) == ((3, 5), (4, 5), (4, 6))
    c = second.get("c")
    assert c is not None
    assert [row.place for row in c.rows()] == [(4, 10), (5, 7)]


def test_columns_count_characters_not_bytes() -> None:
    assert root("ä: {ö€: 𝄞, k: v}\n").get("ä").key("k") == (1, 12)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("^", "the spec is empty"),
        ("^# only a comment\n", "the spec is empty"),
        ("^---\n...\n", "the spec is empty"),
        ("^- a\n- b\n", "a spec is a mapping that begins with `format: 1`, not a list"),
        ("^hello", "a spec is a mapping that begins with `format: 1`, not 'hello'"),
        ("a: [1, 2\nb^: 3\n", "not valid YAML"),
        ("a: b^: c\n", "not valid YAML: mapping values are not allowed"),
        ("a:\n^\t- b\n", "a tab cannot indent YAML"),
        ("a: {b: 1\n^", "not valid YAML"),
        ("a: 'open\n^", "not valid YAML"),
        ("a: 1\n^---\nb: 2\n", "a spec is one YAML document"),
        ("a: ^!!python/object/apply:os.system [ls]\n", "the tag !!python/object/apply:os.system has no meaning"),
        ("a: ^!mine 3\n", "the tag !mine has no meaning"),
        ("a: ^!!str 3\n", "the tag !!str has no meaning"),
        ("a: &x {b: 1}\nc:\n  ^<<: *x\n", "merge keys (`<<`) are not part of YAML 1.2"),
        ("? ^[a, b]\n: c\n", "a key must be text"),
        ("a: {^{ b }}\n", "a key must be text"),
        ("a: ^*x\n", "no anchor '&x' before this alias"),
        ("a: &model 1\nb: ^*modle\n", "no anchor '&modle' before this alias, did you mean 'model'?"),
        ("a: &x k\n^*x : 1\n", "an alias cannot be a key"),
        ("a: &x [1, ^*x]\n", "the alias '*x' contains itself"),
        ("a: ^\x07\n", "the character U+0007 cannot stand in YAML"),
        ("a: 1\n^%YAML 1.2\n---\n", ""),
    ],
)
def test_what_is_no_spec_is_one_clear_problem(text: str, message: str, refuse: Refuse) -> None:
    refuse(text, message)


def test_an_escaped_half_surrogate_is_no_text(load: Load) -> None:
    with pytest.raises(SpecError, match=r"surrogate|not valid YAML"):
        load('a: "\\ud800"\n')


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (".nan", ".nan is not a finite number"),
        ("-.inf", "-.inf is not a finite number"),
        ("1e999", "the number 1e999 is too large"),
        ("9" * 19 + "9", "this whole number is too large"),
        ("9" * 5000, "this whole number is too large"),
    ],
)
def test_numbers_that_no_limit_can_be(number: str, message: str, refuse: Refuse) -> None:
    refuse(f"{GOOD}seed: ^{number}\n", message)


def test_duplicate_keys_name_both_places_and_hide_nothing(refuse: Refuse) -> None:
    refuse(
        "format: 1\nmodels:\n  a: {path: x, ^path: y}\n  ^a: {path: z}\nseed: ^x\n",
        "the key 'path' is already given in line 3, column 7; remove one",
        "the key 'a' is already given in line 3, column 3; remove one",
        "`seed` must be a whole number, not 'x'",
    )


def test_harmless_aliases_are_written_out() -> None:
    assert root("a: &x [1, &y 2]\nb: *x\nc: *y\n").plain() == {"a": [1, 2], "b": [1, 2], "c": 2}


def test_a_billion_laughs_end_quickly(load: Load) -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    start = time.perf_counter()
    with pytest.raises(SpecError, match=r"^spec\.yaml:5:\d+: more than 100000 values \(aliases counted in full\)"):
        load("\n".join(lines))
    assert time.perf_counter() - start < 1


def test_aliases_do_not_evade_the_depth_limit(load: Load) -> None:
    lines = ["a0: &a0 [x]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 200))]
    with pytest.raises(SpecError, match=r"nested more than 32 levels deep by aliases$"):
        load("\n".join(lines))


@pytest.mark.parametrize("text", ["a: " + "[" * 100_000, "a: " + "{b: " * 5_000, "- " * 10_000 + "a"])
def test_deep_nesting_ends_quickly(text: str, load: Load) -> None:
    start = time.perf_counter()
    with pytest.raises(SpecError, match=r"^spec\.yaml:1:\d+: (nested more than 32 levels deep|not valid YAML)"):
        load(text)
    assert time.perf_counter() - start < 2


def test_too_many_values(load: Load) -> None:
    with pytest.raises(SpecError, match="more than 100000 values"):
        load("a: [" + "1," * (loader.MAX_NODES + 1) + "1]")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a: 1\nb: caf\xe9\n", "2:7: not UTF-8 text"),
        ("a: ä\n".encode("utf-16"), "1:1: not UTF-8 text"),
        (b"#" * (loader.MAX_BYTES + 1), "1:1: larger than 1 MiB"),
        (b"a: 1\x00\n", "1:5: the character U+0000 cannot stand in YAML"),
    ],
)
def test_files_that_are_no_text(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(data)
    with pytest.raises(SpecError) as caught:
        load(path, Problems("s"))
    assert str(caught.value).startswith(f"s:{message}")


def test_a_byte_order_mark_is_no_character(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\xef\xbb\xbfk: v\n")
    node, digest = load(path, Problems("s"))
    assert node.keys == {"k": (1, 1)}
    assert len(digest) == 64


def test_a_folder_and_a_missing_file(tmp_path: Path, catalog: Catalog) -> None:
    with pytest.raises(SpecError, match=":1:1: this is a folder; name a YAML file"):
        load_plan(tmp_path, catalog)
    with pytest.raises(SpecError, match=r"none\.yaml:1:1: cannot be read: No such file"):
        load_plan(tmp_path / "none.yaml", catalog)


def test_sha256_is_of_the_files_bytes(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"k: v\n")
    # sha256sum of "k: v\n"
    assert load(path, Problems("s"))[1] == "26da0c20250395b95b5c55d90c9ee666440a4c7dc05208a63608297a8871e6fc"


@pytest.mark.skipif(not hasattr(loader.yaml, "CSafeLoader"), reason="PyYAML without libyaml")
@pytest.mark.parametrize("text", [GOOD, "a: [1, {b: c}]\nd: &x 'q'\ne: *x\n", "a: |\n  t\nb: >-\n  u\n  v\n"])
def test_the_pure_python_loader_gives_the_same_tree(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def flat(node: Node) -> object:
        return node.place, node.keys, [flat(child) for _, _, child in node.items()], node.plain()

    fast = flat(root(text))
    monkeypatch.setattr(loader, "_Loader", loader.yaml.SafeLoader)
    assert flat(root(text)) == fast


def test_finite_is_what_passes() -> None:
    assert math.isfinite(float(str(value("1.7976931348623157e308"))))
