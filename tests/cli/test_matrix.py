"""`pytest-robust matrix`: the picture of a transfer matrix, and what it says when it cannot draw one."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pytest_robust.report.heatmap import draw_matrix, shade
from pytest_robust.report.transfer import HITS, legend_of
from tests.cli.conftest import Said

Command = Callable[..., Said]
CELL = 58


def matrix(size: int = 3, **changed: Any) -> dict[str, Any]:
    names = [f"model-{number}" for number in range(size)]
    rates = [[None if row == column else 0.5 for column in range(size)] for row in range(size)]
    found = {"match": "untargeted", "sources": names, "targets": names, "rates": rates, "white_box": [0.9] * size}
    return {**found, **changed}


def report(*aggregates: tuple[str, dict[str, Any] | None]) -> dict[str, Any]:
    found = [{"id": f"s.yaml::_all::{name}", **({"matrix": made} if made else {})} for name, made in aggregates]
    return {"format": 1, "run": {}, "cells": [], "aggregates": found, "npz_sha256": "0" * 64}


def pixels(made: dict[str, Any], title: str = "t") -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(draw_matrix(made, title))))


def squares(picture: np.ndarray, made: dict[str, Any]) -> list[list[np.ndarray]]:
    """The colours inside each square, at its four inner corners; where the grid is, is read off its frame."""
    frame = (picture == (150, 150, 150)).all(axis=2)
    top = int(np.flatnonzero(frame.sum(1) >= CELL * 2)[0])
    left = int(np.flatnonzero(frame[top])[0])
    found = []
    for row in range(len(made["sources"])):
        line = []
        for column in range(len(made["targets"])):
            y, x = top + row * CELL, left + column * CELL
            line.append(picture[[y + 4, y + 4, y + CELL - 4, y + CELL - 4], [x + 4, x + CELL - 4, x + 4, x + CELL - 4]])
        found.append(line)
    return found


def test_a_square_has_the_colour_of_its_rate_and_stands_where_it_belongs() -> None:
    made = matrix()
    made["rates"][0][1], made["rates"][2][0], made["rates"][1][2] = 1.0, 0.0, None
    found = squares(pixels(made), made)
    assert (found[0][1] == shade(1.0)).all()
    assert (found[2][0] == shade(0.0)).all()
    assert (found[0][2] == shade(0.5)).all()
    assert (found[1][2] == (236, 236, 236)).all(), "nothing known"


def test_the_diagonal_is_hatched_whatever_its_rate_and_never_coloured() -> None:
    for rate in (0.0, 1.0, None):
        made = matrix(white_box=[rate] * 3)
        for row, line in enumerate(squares(pixels(made), made)):
            assert set(map(tuple, line[row].tolist())) <= {(255, 255, 255), (150, 150, 150)}
    assert pixels(matrix(white_box=[0.5] * 3)).tobytes() != pixels(matrix(white_box=[None] * 3)).tobytes()


def test_shades_grow_darker_and_one_grey_level_is_seen() -> None:
    light = [0.299 * red + 0.587 * green + 0.114 * blue for red, green, blue in (shade(n / 100) for n in range(101))]
    assert all(before > after for before, after in pairwise(light))
    assert light[0] > 240
    assert light[-1] < 45


def test_one_source_on_many_models_is_a_strip() -> None:
    names = [f"m{number}" for number in range(6)]
    made = {
        "match": "top5",
        "sources": ["m0"],
        "targets": names,
        "rates": [[None, *[number / 6 for number in range(1, 6)]]],
        "white_box": [None],
    }
    (line,) = squares(pixels(made), made)
    for number in range(1, 6):
        assert (line[number] == shade(number / 6)).all()


@pytest.mark.parametrize("size", [2, 18])
def test_all_of_it_is_on_the_paper(size: int) -> None:
    long = [f"a-rather-long-model-name-{number}" for number in range(size)]
    picture = pixels(matrix(size, sources=long, targets=long), "specs/s.yaml::_all::" + "t" * 40)
    border = np.concatenate([picture[:4].reshape(-1, 3), picture[-4:].reshape(-1, 3), picture[:, :4].reshape(-1, 3)])
    assert (border == 255).all()
    assert (picture[:, -3:] == 255).all()


@pytest.mark.parametrize("match", HITS)
def test_the_caption_says_what_a_hit_is_and_the_legend_what_is_hatched(match: str, monkeypatch: Any) -> None:
    written: list[str] = []
    text = ImageDraw.ImageDraw.text

    def heard(pen: Any, at: Any, what: str, *rest: Any, **more: Any) -> None:
        written.append(what)
        text(pen, at, what, *rest, **more)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", heard)
    made = matrix(match=match)
    draw_matrix(made, "t")
    caption = {
        "untargeted": "% of images crafted on the row's model that the column's model takes for another class",
        "top1": "% of images crafted on the row's model that the column's model takes for their target class",
        "top5": "% of images crafted on the row's model whose target class is among the column's model's five most "
        "probable",
    }
    assert caption[match] in written
    assert "hatched: the model itself (white box)" in written
    written.clear()
    draw_matrix(matrix(match=match, targets=["x", "y", "z"]), "t")
    assert not any("hatched" in one for one in written), "where no square is"


@pytest.mark.parametrize(
    ("match", "hit"),
    [
        ("untargeted", "the most probable class is another than the label's."),
        ("top1", "the most probable class is the target class."),
        ("top5", "the target class is among the five most probable."),
    ],
)
def test_the_sentence_under_the_table_says_what_a_hit_is(match: str, hit: str) -> None:
    brackets = "In brackets a source's own images shown to itself (white box), which are no transfer."
    said = legend_of(matrix(match=match))
    assert f"a hit is that {hit} {brackets} Distortions" in said
    assert brackets not in legend_of(matrix(match=match, white_box=[None] * 3))


def test_a_heat_map_that_cannot_be_written_is_called_one(command: Command, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps(report(("pgd.transfer", matrix()))))
    code, _, err = command(tmp_path, "matrix", "r.json", "--out", "r.json/t.png")
    assert (code, err.startswith("the heat map r.json/t.png cannot be written (")) == (2, True)


def test_the_command_draws_the_one_matrix(command: Command, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(json.dumps(report(("pgd.transfer", matrix()), ("clean.mean", None))))
    code, out, err = command(tmp_path, "matrix", "r.json", "--out", "deep/t.png")
    assert (code, out, err) == (0, "deep/t.png written: 3 x 3 models of s.yaml::_all::pgd.transfer\n", "")
    drawn = np.asarray(Image.open(tmp_path / "deep" / "t.png"))
    assert (drawn == pixels(matrix(), "s.yaml::_all::pgd.transfer")).all()


def test_of_several_matrices_one_is_chosen(command: Command, tmp_path: Path) -> None:
    both = report(("pgd.transfer", matrix()), ("cw.transfer", matrix(2)))
    (tmp_path / "r.json").write_text(json.dumps(both))
    code, _, err = command(tmp_path, "matrix", "r.json", "--out", "t.png")
    assert (code, err) == (
        2,
        "r.json has several matrices; choose one of s.yaml::_all::pgd.transfer, s.yaml::_all::cw.transfer by"
        " --select\n",
    )
    code, _, err = command(tmp_path, "matrix", "r.json", "--out", "t.png", "--select", "fgsm")
    assert (code, err.partition(";")[0]) == (2, "r.json has 0 matrices whose id contains 'fgsm'")
    assert command(tmp_path, "matrix", "r.json", "--out", "t.png", "--select", "cw")[0] == 0


def test_what_cannot_be_drawn(command: Command, tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text(json.dumps(report(("clean.mean", None))))
    (tmp_path / "golden.json").write_text("{}")
    for arguments, sentence in (
        (
            ["none.json", "--out", "t.png"],
            "none.json has no transfer matrix; ask for one by `aggregates: [{transfer: {}}]`",
        ),
        (
            ["golden.json", "--out", "t.png"],
            "golden.json is not a report of pytest-robust; make one with --robust-report",
        ),
        (["no.json", "--out", "t.png"], "there is no file no.json"),
        (["none.json", "--out", "t.jpg"], "--out t.jpg: a picture is a .png file"),
    ):
        code, out, err = command(tmp_path, "matrix", *arguments)
        assert (code, out) == (2, "")
        assert err.startswith(sentence), err
