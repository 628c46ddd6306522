"""Invariant 4: the one door for pictures, by example. The general promises are in tests/property."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tocsin import redact as redact_module
from tocsin.core.errors import PictureError
from tocsin.core.observation import Region
from tocsin.ports import Picture
from tocsin.redact import MAX_UPLOAD_BYTES, RedactedPicture, cropped, redact, redact_jpeg

SOURCE_TREE = Path(redact_module.__file__).parent


def noise(height: int, width: int, seed: int = 1) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def scene(height: int = 720, width: int = 1280) -> Picture:
    """Soft ground with hard things on it, as a yard looks."""
    y, x = np.mgrid[0:height, 0:width]
    picture = np.stack([x * 255 // width, y * 255 // height, (x + y) * 255 // (width + height)], axis=-1)
    picture = picture.astype(np.uint8)
    cv2.rectangle(picture, (width // 3, height // 3), (width // 2, height // 2), (0, 140, 255), -1)
    cv2.putText(picture, "TANK 7", (width // 3, height // 2), cv2.FONT_HERSHEY_SIMPLEX, 3.0, (255,) * 3, 5)
    return picture


def decoded(jpeg: bytes) -> Picture:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    assert picture is not None
    return picture.astype(np.uint8, copy=False)


def encoded(picture: Picture, suffix: str = ".jpg") -> bytes:
    done, data = cv2.imencode(suffix, picture)
    assert done
    return data.tobytes()


def difference(one: Picture, other: Picture) -> float:
    return float(np.abs(one.astype(np.int16) - other.astype(np.int16)).mean())


def shuffled_in_blocks(picture: Picture, step: int) -> Picture:
    """The same averages over step x step blocks, every pixel elsewhere in its block."""
    height, width = picture.shape[:2]
    blocks = picture.reshape(height // step, step, width // step, step, 3).swapaxes(1, 2)
    flat = blocks.reshape(height // step, width // step, step * step, 3)
    order = np.random.default_rng(7).permutation(step * step)
    mixed = flat[:, :, order].reshape(height // step, width // step, step, step, 3)
    return np.ascontiguousarray(mixed.swapaxes(1, 2).reshape(height, width, 3))


class TestInvariant4:
    def test_nothing_but_the_average_of_a_mosaic_cell_reaches_the_picture(self):
        picture = noise(540, 960)
        assert redact(picture, None).jpeg == redact(shuffled_in_blocks(picture, 10), None).jpeg

    @pytest.mark.parametrize(
        ("region", "step"),
        [
            (Region(0.25, 0.0, 0.5, 1 / 3), 2),  # 240 px wide
            (Region(0.0, 0.0, 0.5, 0.8), 4),  # 480 px
            (Region(0.0, 0.0, 1.0, 1.0), 8),  # 960 px
        ],
    )
    def test_nothing_but_the_average_of_a_region_cell_reaches_the_picture(self, region: Region, step: int):
        # 520 rows: a whole number of cells of every lattice.
        picture = noise(520, 960)
        mixed = picture.copy()
        x0, x1 = round(region.x0 * 960), round(region.x1 * 960) // step * step
        y0, y1 = -(-round(region.y0 * 520) // step) * step, int(region.y1 * 520) // step * step
        mixed[y0:y1, x0:x1] = shuffled_in_blocks(picture[y0:y1, x0:x1], step)
        one, other = decoded(redact(picture, region).jpeg), decoded(redact(mixed, region).jpeg)
        inside = np.s_[y0 + 16 : y1 - 16, x0 + 16 : x1 - 16]
        assert np.array_equal(one[inside], other[inside])
        assert one[inside].std() > 5, "the region shows something"

    def test_a_small_region_keeps_useful_detail(self):
        picture = np.full((1080, 1920, 3), 40, np.uint8)
        picture[480:600, 900:1020:12] = 255  # stripes of 12 px, 6 on the canvas
        region = Region(0.45, 0.4, 0.55, 0.6)
        sharp, plain = decoded(redact(picture, region).jpeg), decoded(redact(picture, None).jpeg)
        assert sharp[250:290, 455:500].std() > 3 * plain[250:290, 455:500].std()

    def test_a_region_does_not_sharpen_its_surroundings(self):
        picture = noise(1080, 1920)
        with_region, without = redact(picture, Region(0.4, 0.4, 0.5, 0.5)), redact(picture, None)
        one, other = decoded(with_region.jpeg), decoded(without.jpeg)
        one[200:290, 368:496] = other[200:290, 368:496]
        assert difference(one, other) < 0.01

    def test_the_grid_is_fixed_to_the_picture_when_the_region_drifts(self):
        """Eight pictures of one still scene show outside their regions always the same cells."""
        picture = noise(540, 960)
        outside = np.s_[:, 500:]
        views = [
            decoded(redact(picture, Region(0.1 + i / 960, 0.1, 0.4 + i / 960, 0.5)).jpeg)[outside]
            for i in range(8)
        ]
        assert all(np.array_equal(views[0], view) for view in views)

    def test_eight_drifting_regions_show_no_more_than_one(self):
        """The cells inside stay where they are too: what two of the regions share looks the same in both."""
        picture = noise(540, 960)
        views = [
            decoded(redact(picture, Region(0.1 + i / 960, 0.1, 0.6 + i / 960, 0.8)).jpeg)[80:400, 128:544]
            for i in range(8)
        ]
        assert all(difference(views[0], view) < 0.5 for view in views)

    @pytest.mark.parametrize(
        "region", [Region(0.1, 0.2, 0.4, 0.7), Region(0, 0, 1, 1), Region(0.5, 0.5, 0.502, 0.9)]
    )
    def test_a_crop_shows_the_region_alone_and_no_more_of_it(self, region: Region):
        """Also of a file that somebody has put among the stored ones, sharp."""
        sharp = encoded(scene(540, 960))
        cut = cropped(sharp, region)
        whole = decoded(redact_jpeg(sharp, region).jpeg)
        x0, y0 = int(region.x0 * 960 + 1e-6), int(region.y0 * 540 + 1e-6)
        assert decoded(cut.jpeg).shape[:2] == (cut.height_px, cut.width_px)
        part = whole[y0 : y0 + cut.height_px, x0 : x0 + cut.width_px]
        assert difference(decoded(cut.jpeg), part) < 4
        assert cut.width_px <= round((region.x1 - region.x0) * 960) + 1
        assert cut.height_px <= round((region.y1 - region.y0) * 540) + 1
        of_noise = decoded(cropped(encoded(noise(540, 960)), region).jpeg).astype(np.int16)
        for axis in (0, 1):
            steps = np.abs(np.diff(of_noise, axis=axis)).mean(axis=(1 - axis, 2))
            assert (steps > 24).sum() + 1 <= 160

    def test_what_is_no_picture_cannot_be_cropped(self):
        with pytest.raises(PictureError):
            cropped(b"no picture", Region(0, 0, 1, 1))

    def test_nobody_else_makes_one(self):
        with pytest.raises(TypeError, match="invariant 4"):
            RedactedPicture(b"sharp", 1, 1, None, "")
        made = redact(scene(), None)
        with pytest.raises((TypeError, ValueError)):
            dataclasses.replace(made, jpeg=b"sharp")

    def test_no_other_file_of_the_source_tree_makes_one(self):
        for file in SOURCE_TREE.rglob("*.py"):
            if file.name == "redact.py" and file.parent == SOURCE_TREE:
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    name = ast.unparse(node.func)
                    assert not name.endswith("RedactedPicture"), (
                        f"{file}:{node.lineno} makes a RedactedPicture"
                    )
                if isinstance(node, ast.Name | ast.Attribute):
                    assert ast.unparse(node) != "redact._KEY", f"{file}:{node.lineno} takes the door's key"

    def test_no_other_file_of_the_source_tree_writes_pictures(self):
        for file in SOURCE_TREE.rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            if file.name != "redact.py":
                assert "imencode" not in text, f"{file} encodes a picture past the one door"
            assert "imwrite" not in text, f"{file} writes a picture past the one door"


class TestRedact:
    def test_says_what_it_made(self):
        region = Region(0.2, 0.2, 0.4, 0.4)
        made = redact(scene(), region)
        assert (made.width_px, made.height_px, made.region) == (960, 540, region)
        assert decoded(made.jpeg).shape == (540, 960, 3)
        assert made.sha256 == hashlib.sha256(made.jpeg).hexdigest()
        assert "jpeg" not in repr(made), "no picture in a log"

    def test_leaves_the_picture_as_it_was(self):
        picture = scene()
        before = picture.copy()
        redact(picture, Region(0.0, 0.0, 1.0, 1.0))
        assert np.array_equal(picture, before)

    def test_the_jpeg_carries_no_metadata(self):
        jpeg = redact(scene(), None).jpeg
        markers = {jpeg[i + 1] for i in range(len(jpeg) - 1) if jpeg[i] == 0xFF}
        assert not markers & ({0xFE} | set(range(0xE1, 0xF0))), "only JFIF's own header"

    @pytest.mark.parametrize(
        "picture",
        [
            np.zeros((4, 4), np.uint8),
            np.zeros((4, 4, 4), np.uint8),
            np.zeros((0, 4, 3), np.uint8),
            np.zeros((4, 4, 3), np.float32),
        ],
    )
    def test_refuses_what_is_no_picture(self, picture: Picture):
        with pytest.raises(PictureError, match="not a picture"):
            redact(picture, None)


def with_exif(jpeg: bytes, orientation: int) -> bytes:
    tiff = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff + b"GPS 52.52 13.40 Jane Doe"
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def jpeg_claiming(jpeg: bytes, width: int, height: int) -> bytes:
    at = next(jpeg.find(bytes([0xFF, code])) for code in (0xC0, 0xC2) if bytes([0xFF, code]) in jpeg)
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


class TestTheCentresDoor:
    def test_a_sharp_picture_of_a_hostile_watcher_is_redacted(self):
        sharp = noise(540, 960)
        made = redact_jpeg(encoded(sharp, ".png"), None)
        assert made.jpeg == redact(sharp, None).jpeg

    def test_a_redacted_picture_passes_nearly_unchanged(self):
        region = Region(0.31, 0.3, 0.52, 0.55)
        once = redact(scene(), region)
        twice = redact_jpeg(once.jpeg, region)
        assert difference(decoded(once.jpeg), decoded(twice.jpeg)) < 0.7
        for _ in range(8):
            twice = redact_jpeg(twice.jpeg, region)
        assert difference(decoded(once.jpeg), decoded(twice.jpeg)) < 1.5

    @pytest.mark.parametrize("suffix", [".jpg", ".png"])
    def test_what_hangs_behind_the_picture_is_dropped(self, suffix: str):
        data = encoded(scene(), suffix)
        made = redact_jpeg(data + b"PK\x03\x04<script>alert(1)</script>", None)
        assert made.jpeg == redact_jpeg(data, None).jpeg
        assert b"script" not in made.jpeg

    def test_metadata_is_dropped_and_the_orientation_obeyed(self):
        picture = np.zeros((400, 800, 3), np.uint8)
        picture[:, :400] = (0, 0, 255)  # red on the left; turned clockwise it is at the top
        made = redact_jpeg(with_exif(encoded(picture), 6), None)
        assert b"Jane" not in made.jpeg
        assert b"Exif" not in made.jpeg
        assert (made.width_px, made.height_px) == (480, 960)
        upright = decoded(made.jpeg)
        assert upright[100, 240, 2] > 200
        assert upright[860, 240, 2] < 50

    def test_the_region_belongs_to_the_upright_picture(self):
        picture = noise(800, 1600)
        region = Region(0.0, 0.0, 0.3, 0.1)
        upright = decoded(redact_jpeg(with_exif(encoded(picture), 6), region).jpeg)
        assert upright[:90, :140].std() > 2 * upright[500:590, :140].std()

    def test_progressive_jpeg_and_grey_and_transparent_pictures_are_taken(self):
        done, progressive = cv2.imencode(".jpg", scene(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
        assert done
        grey = cv2.imencode(".jpg", scene()[:, :, 0])[1].tobytes()
        clear = cv2.imencode(".png", np.dstack([scene(), np.zeros((720, 1280), np.uint8)]))[1].tobytes()
        for data in (progressive.tobytes(), grey, clear):
            assert redact_jpeg(data, None).width_px == 960

    @pytest.mark.parametrize(
        ("data", "what"),
        [
            (b"", "neither JPEG nor PNG"),
            (b"GIF89a" + b"\0" * 100, "neither JPEG nor PNG"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "neither JPEG nor PNG"),
            (b"\xff\xd8\xff", "cut-off JPEG"),
            (b"\xff\xd8\xff\xd9", "cut-off JPEG"),
            (b"\xff\xd8\xff\xe0\xff\xff", "cut-off JPEG"),
            (b"\x89PNG\r\n\x1a\n", "cut-off PNG"),
            (b"\xff\xd8\xff" + b"\0" * MAX_UPLOAD_BYTES, "too many"),
            (png_claiming(30_000, 30_000), "30000 x 30000"),
            (png_claiming(0, 7), "0 x 7"),
            (png_claiming(2**31, 2**31), "px"),
            (jpeg_claiming(encoded(scene()), 60_000, 60_000), "60000 x 60000"),
            (encoded(scene())[:-2000], "cut-off JPEG"),
            (encoded(scene(), ".png")[:-2000], "cut-off PNG"),
        ],
    )
    def test_refuses_with_a_reason(self, data: bytes, what: str):
        with pytest.raises(PictureError, match=what) as caught:
            redact_jpeg(data, None)
        assert caught.value.hint

    def test_a_png_whose_pixels_are_missing_is_refused_or_mosaic(self):
        try:
            made = redact_jpeg(png_claiming(500, 500), None)
        except PictureError:
            return
        assert made.width_px == 960

    def test_a_progressive_jpeg_of_endless_scans_is_refused_before_decoding(self):
        data = cv2.imencode(".jpg", scene(90, 160), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
        last = data.rfind(b"\xff\xda")
        with pytest.raises(PictureError, match="damaged"):
            redact_jpeg(data[:-2] + data[last:-2] * 100 + data[-2:], None)
