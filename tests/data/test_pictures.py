"""Folders and tables of pictures: sizes, colours, orientation, labels; one sentence for what can't be read."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqloom.errors import DataError, SettingError
from seqloom.report.picture import picture_html
from seqloom_runtime.data.pictures import decode, head_of, holds_pictures, read_pictures, shown_picture

Image = pytest.importorskip("PIL.Image")


def save(path: Path, pixels: Any, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    for label in ("cat", "dog"):
        for number in range(3):
            save(tmp_path / "set" / label / f"{number}.png", draw.integers(0, 256, (5, 4)))
    return tmp_path / "set"


def test_a_folder_is_read_as_it_is(folder: Path) -> None:
    (folder / "cat" / ".DS_Store").write_text("x")
    (folder / "dog" / "notes.txt").write_text("x")
    found = read_pictures(folder)
    assert found.pixels.shape == (6, 5, 4, 1)
    assert found.labels is not None
    assert found.labels.tolist() == ["cat"] * 3 + ["dog"] * 3
    assert found.ids[4] == "dog/1.png"
    assert np.array_equal(found.pixels[4, :, :, 0], np.asarray(Image.open(folder / "dog" / "1.png")))
    assert [d.text for d in found.decisions] == [
        "1 file that is no picture is left out (notes.txt); nothing need be done."
    ]
    bare = read_pictures([folder / "cat", folder / "dog" / "0.png"], labelled=False)
    assert (bare.labels, bare.ids[:3]) == (None, ("0.png", "1.png", "2.png"))
    assert np.array_equal(bare.pixels, found.pixels[:4])
    assert holds_pictures(folder)
    assert holds_pictures("x.JPG")
    assert not holds_pictures("x.csv")
    assert not holds_pictures(None)


def test_a_table_of_paths(folder: Path) -> None:
    (folder / "table.csv").write_text("path,kind,n\ncat/0.png,a,1\ndog/2.png,b,2\n")
    found = read_pictures(folder / "table.csv", image_column="path", label="kind")
    assert found.labels is not None
    assert (found.labels.tolist(), found.ids) == (["a", "b"], ("cat/0.png", "dog/2.png"))
    (folder / "table.csv").write_text("path,kind\ncat/9.png,a\n")
    with pytest.raises(DataError, match=r"no file 'cat/9.png' in"):
        read_pictures(folder / "table.csv", image_column="path", label="kind")
    (folder / "table.csv").write_text("path,kind\ncat/0.png,\ncat/1.png,b\n")
    with pytest.raises(DataError, match=r"expected 'kind' in each row, row 1 of the table has none"):
        read_pictures(folder / "table.csv", image_column="path", label="kind")
    with pytest.raises(DataError, match="nothing says what is to be predicted"):
        read_pictures(folder / "table.csv", image_column="path")


def test_sizes_colours_and_what_is_clear(folder: Path) -> None:
    save(folder / "cat" / "3.png", np.zeros((10, 8, 3)))
    with pytest.raises(DataError, match=r"cat/3.png: expected pictures of one size, it has 10 by 8 pixels .* 5 by 4"):
        read_pictures(folder)
    found = read_pictures(folder, image_size=(5, 4))
    assert found.pixels.shape == (7, 5, 4, 3)
    said = " ".join(d.text for d in found.decisions)
    assert "1 of 7 pictures are in colour, so all are read so" in said
    assert "1 of 7 pictures are scaled to 5 by 4 pixels" in said
    assert read_pictures(folder, image_size=4, colour="grey").pixels.shape == (7, 4, 4, 1)
    clear = np.zeros((2, 2, 4))
    clear[0, 0] = (0, 0, 0, 255)
    place = save(folder.parent / "clear.png", clear)
    head = head_of(place)
    assert head.transparent
    assert decode(head, (2, 2), False)[:, :, 0].tolist() == [[0, 255], [255, 255]]


def test_a_photograph_is_turned_as_its_exif_says(tmp_path: Path) -> None:
    pixels = np.arange(6).reshape(2, 3) * 40
    image = Image.fromarray(pixels.astype(np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6  # a quarter to the right
    image.save(tmp_path / "a.png", exif=exif)
    head = head_of(tmp_path / "a.png")
    assert (head.height, head.width, head.turned) == (3, 2, True)
    assert decode(head, (3, 2), False)[:, :, 0].tolist() == np.rot90(pixels, -1).tolist()


def bomb(path: Path, side: int) -> Path:
    """A PNG of a few bytes that says that it is side by side."""
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    body = b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


def test_one_sentence_for_a_picture_that_can_t_be_read(tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 256, (40, 40))).read_bytes()
    frames = [Image.fromarray(np.full((4, 4), level, np.uint8)) for level in (0, 255)]
    frames[0].save(tmp_path / "frames.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(tmp_path / "deep.png")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "cut.png").write_bytes(whole[:600])
    for name, said in {
        "empty.png": "the file is empty; leave it out",
        "text.png": "expected a picture (PNG, JPEG, …), it is damaged or none",
        "cut.png": "expected a picture, it is damaged or of another kind (",
        "frames.gif": "expected one picture, it holds 2 frames",
        "deep.png": "expected 8 bits for each pixel and colour, it holds more (mode I;16)",
    }.items():
        with pytest.raises(DataError) as refused:
            read_pictures(tmp_path / name, labelled=False)
        assert said in str(refused.value), name
        assert str(refused.value).startswith(f"{tmp_path / name}: ")
    for side in (8_000, 12_000, 60_000):
        with pytest.raises(DataError, match="expected at most 50,000,000 pixels"):
            read_pictures(bomb(tmp_path / "bomb.png", side), labelled=False)
    with pytest.raises(FileNotFoundError):
        read_pictures(tmp_path / "none.png", labelled=False)


def test_one_sentence_for_a_folder_that_can_t_be_read(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(DataError, match="expected a sub-folder of pictures for each class, there is none"):
        read_pictures(tmp_path / "a")
    save(tmp_path / "a" / "x.png", [[1]])
    with pytest.raises(DataError, match="there are only pictures; sort them into folders"):
        read_pictures(tmp_path / "a")
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match="expected pictures of the class 'b', there are none"):
        read_pictures(tmp_path)
    save(tmp_path / "b" / "train" / "x.png", [[1]])
    with pytest.raises(DataError, match="not deeper; where 'b' is a part of the data"):
        read_pictures(tmp_path)
    with pytest.raises(DataError, match="expected a folder with a sub-folder"):
        read_pictures(tmp_path / "a" / "x.png")
    (tmp_path / "c").mkdir()
    with pytest.raises(DataError, match="there are none"):
        read_pictures(tmp_path / "c", labelled=False)
    odd: list[tuple[dict[str, Any], str]] = [
        ({"image_size": 0}, "each 1 to 4096, got 0"),
        ({"image_size": (4, 5, 6)}, "each 1 to 4096"),
        ({"colour": "red"}, "colour: expected one of grey, colour"),
        ({"label": "y"}, "label: pictures have no such choice"),
        ({"separator": ";"}, "separator: pictures have no such choice"),
    ]
    for options, said in odd:
        with pytest.raises(SettingError, match=said):
            read_pictures(tmp_path, **options)


def test_a_picture_in_the_report_is_the_picture() -> None:
    draw = np.random.default_rng(1)
    for shape in ((7, 5, 1), (4, 9, 3)):
        pixels = draw.integers(0, 256, shape).astype(np.uint8)
        html = picture_html(shown_picture(pixels), 'a "b"')
        assert 'alt="a &quot;b&quot;"' in html
        code = html.partition("base64,")[2].partition('"')[0]
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(code)))).reshape(shape), pixels)
    large = shown_picture(np.zeros((300, 200, 1), np.uint8))
    assert (large["height"], large["width"]) == (75, 50)
    good = shown_picture(np.zeros((2, 2, 1), np.uint8))
    odds: list[dict[str, Any]] = [{"height": 3}, {"pixels": "!"}, {"colours": 2}, {"width": 10**9}]
    for odd in odds:
        with pytest.raises(ValueError, match=r".+"):
            picture_html({**good, **odd}, "x")
