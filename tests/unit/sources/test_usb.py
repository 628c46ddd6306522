"""USB cameras, as far as they go without one: what is refused, and what is asked of the driver."""

from __future__ import annotations

from pathlib import Path

import av.error
import pytest
from tests.support.watching import SetClock

from tocsin.core.errors import ConfigError, SourceError, SourceNotFoundError
from tocsin.core.observation import CameraId
from tocsin.ports import Rates
from tocsin.sources.decoding import open_device
from tocsin.sources.usb import UsbSource, is_device, options


@pytest.mark.parametrize("address", ["/dev/video0", "/dev/video12", "/dev/v4l/by-id/usb-Cam_C270-index0"])
def test_devices(address: str) -> None:
    assert is_device(address)
    UsbSource(CameraId("yard"), address, clock=SetClock()).close()


@pytest.mark.parametrize(
    "address", ["/dev/sda", "/dev/video", "/dev/video0/../sda", "/dev/v4l/by-id/../../mem", "video0", ""]
)  # fmt: skip
def test_what_is_none(address: str) -> None:
    assert not is_device(address)
    with pytest.raises(ConfigError):
        UsbSource(CameraId("yard"), address, clock=SetClock())


def test_no_such_device() -> None:
    source = UsbSource(CameraId("yard"), "/dev/video987", clock=SetClock())
    with pytest.raises(SourceNotFoundError) as caught:
        next(source.frames())
    assert "plugged in" in caught.value.hint
    assert "camera yard" in str(caught.value)
    source.close()


@pytest.mark.parametrize(("looks_per_s", "rate"), [(10.0, "10"), (2.0, "5"), (12.5, "12.5")])
def test_no_more_pictures_are_asked_for_than_are_looked_at(looks_per_s: float, rate: str) -> None:
    asked = options(Rates(1.0, looks_per_s))
    assert asked["framerate"] == rate
    assert asked["video_size"] == "1280x720"


@pytest.mark.parametrize("rates", [Rates(), Rates(1.0, 12.5)])
def test_ffmpegs_input_takes_these_options(tmp_path: Path, rates: Rates) -> None:
    """It reads them before it opens the device: a wrong one is an ArgumentError."""
    with pytest.raises(FileNotFoundError):
        open_device(str(tmp_path / "none"), "v4l2", options(rates))
    with pytest.raises(av.error.ArgumentError):
        open_device(str(tmp_path / "none"), "v4l2", {"fflags": "no such flag"})


def test_a_file_is_no_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that answers no question of V4L2, as a camera's second one may."""
    (tmp_path / "video0").write_bytes(b"no device")
    source = UsbSource(CameraId("yard"), "/dev/video0", clock=SetClock())
    monkeypatch.setattr(source, "_device", str(tmp_path / "video0"))
    with pytest.raises(SourceError) as caught:
        next(source.frames())
    assert caught.value.code == "source-codec"
