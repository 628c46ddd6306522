"""Models from the hub, over HTTP on loopback: only the very file that was meant is used or kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.hub import COMMIT, Hub
from tests.support.onnx_models import yolo

from tocsin.core.errors import ModelChecksumError, ModelFetchError
from tocsin.detectors import hub as hub_module
from tocsin.detectors.hub import HubFile, fetch
from tocsin.launch import free_port

CONTENT = yolo()
OTHER = "f" * 40


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as made:
        yield made


def _wanted(hub: Hub, sha256: str, **more: Any) -> HubFile:
    said: dict[str, Any] = {"repo": "o/m", "file": "m.onnx", "revision": COMMIT} | more
    return HubFile(sha256=sha256, endpoint=hub.url, **said)


def _left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("redirects", [0, 1, 3])
def test_the_file_is_fetched_once_and_then_kept(hub: Hub, tmp_path: Path, redirects: int) -> None:
    hub.redirects = redirects
    sha256 = hub.put(CONTENT, path="weights/m.v1.onnx")
    wanted = _wanted(hub, sha256, file="weights/m.v1.onnx")
    assert fetch(wanted, tmp_path / "kept", 10**6, "m") == CONTENT
    assert _left(tmp_path) == [f"kept/{sha256}.onnx"]
    asked = len(hub.asked)
    assert asked == redirects + 1
    hub.status = 500
    assert fetch(wanted, tmp_path / "kept", 10**6, "m") == CONTENT
    assert len(hub.asked) == asked, "what is kept needs no network"


def test_what_is_asked_names_the_commit_and_tells_nothing_of_the_site(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text("machine 127.0.0.1 login ana password hunter2\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / ".netrc"))
    fetch(_wanted(hub, hub.put(CONTENT)), tmp_path / "kept", 10**6, "m")
    for method, path, headers in hub.asked:
        assert method == "GET"
        assert path.endswith(f"/o/m/resolve/{COMMIT}/m.onnx")
        assert "hf_secret" not in str(headers)
        assert {name.lower() for name in headers} <= {
            "host", "accept", "accept-encoding", "connection", "user-agent",
        }  # fmt: skip


@pytest.mark.parametrize("announced", [-1, -2])
def test_a_wrong_checksum_is_refused_and_nothing_is_kept(hub: Hub, tmp_path: Path, announced: int) -> None:
    hub.announced = announced
    real, meant = hub.put(CONTENT), hashlib.sha256(b"another").hexdigest()
    for _ in range(2):
        with pytest.raises(ModelChecksumError) as refused:
            fetch(_wanted(hub, meant), tmp_path / "kept", 10**6, "model 'yard'")
        assert real in refused.value.what
        assert meant in refused.value.what
        assert (refused.value.where, refused.value.permanent) == ("model 'yard'", True)
        assert list((tmp_path / "kept").iterdir()) == []
    assert fetch(_wanted(hub, real), tmp_path / "kept", 10**6, "m") == CONTENT


def test_a_kept_file_that_was_changed_is_fetched_again(hub: Hub, tmp_path: Path) -> None:
    sha256 = hub.put(CONTENT)
    fetch(_wanted(hub, sha256), tmp_path, 10**6, "m")
    (tmp_path / f"{sha256}.onnx").write_bytes(b"something else")
    assert fetch(_wanted(hub, sha256), tmp_path, 10**6, "m") == CONTENT
    assert (tmp_path / f"{sha256}.onnx").read_bytes() == CONTENT
    (tmp_path / f"{sha256}.onnx").write_bytes(b"something else")
    hub.status = 503
    with pytest.raises(ModelFetchError):
        fetch(_wanted(hub, sha256), tmp_path, 10**6, "m")
    assert _left(tmp_path) == []


@pytest.mark.parametrize(
    "more", [{"repo": "o/gone"}, {"file": "gone.onnx"}, {"revision": OTHER}, {"status": 401}, {"status": 403}]
)
def test_what_is_not_there_is_told(hub: Hub, tmp_path: Path, more: dict[str, Any]) -> None:
    sha256 = hub.put(CONTENT)
    hub.status = more.pop("status", 0)
    with pytest.raises(ModelFetchError, match=r"has no .* \(40[134]\)") as refused:
        fetch(_wanted(hub, sha256, **more), tmp_path / "kept", 10**6, "m")
    assert "127.0.0.1" in refused.value.what
    assert not refused.value.permanent
    assert _left(tmp_path) == []


@pytest.mark.parametrize("redirects", [0, 1])
def test_a_revision_that_was_moved_is_refused(hub: Hub, tmp_path: Path, redirects: int) -> None:
    hub.redirects, hub.commit = redirects, OTHER
    with pytest.raises(ModelFetchError, match="another commit") as refused:
        fetch(_wanted(hub, hub.put(CONTENT)), tmp_path / "kept", 10**6, "m")
    assert OTHER[:12] in refused.value.what
    assert _left(tmp_path) == []


def test_a_download_that_is_cut_off_is_told_and_nothing_is_kept(hub: Hub, tmp_path: Path) -> None:
    sha256 = hub.put(CONTENT)
    hub.cut_after = len(CONTENT) // 2
    with pytest.raises(ModelFetchError, match="RemoteProtocolError"):
        fetch(_wanted(hub, sha256), tmp_path / "kept", 10**6, "m")
    assert _left(tmp_path) == []
    hub.cut_after = -1
    assert fetch(_wanted(hub, sha256), tmp_path / "kept", 10**6, "m") == CONTENT


@pytest.mark.parametrize("announced", [-1, -2])
def test_what_is_too_large_is_not_read_to_its_end(hub: Hub, tmp_path: Path, announced: int) -> None:
    hub.announced = announced
    large = bytes(5_000_000)
    with pytest.raises(ModelFetchError, match="larger than 1 MB"):
        fetch(_wanted(hub, hub.put(large)), tmp_path / "kept", 1_000_000, "m")
    assert _left(tmp_path) == []


def test_a_file_shorter_than_announced_is_told(hub: Hub, tmp_path: Path) -> None:
    sha256 = hub.put(CONTENT)
    hub.announced, hub.cut_after = len(CONTENT) + 100, len(CONTENT)
    with pytest.raises(ModelFetchError):
        fetch(_wanted(hub, sha256), tmp_path / "kept", 10**6, "m")
    assert _left(tmp_path) == []


def test_redirects_without_end_are_told(hub: Hub, tmp_path: Path) -> None:
    hub.redirects = 50
    with pytest.raises(ModelFetchError, match="TooManyRedirects"):
        fetch(_wanted(hub, hub.put(CONTENT)), tmp_path / "kept", 10**6, "m")


@pytest.mark.parametrize("status", [429, 500, 503, 302, 204, 206])
def test_another_answer_is_told(hub: Hub, tmp_path: Path, status: int) -> None:
    sha256 = hub.put(CONTENT)
    hub.status = status
    with pytest.raises(ModelFetchError, match=str(status)):
        fetch(_wanted(hub, sha256), tmp_path / "kept", 10**6, "m")


def test_nobody_at_the_other_end_is_told(tmp_path: Path) -> None:
    wanted = HubFile("o/m", "m.onnx", COMMIT, "0" * 64, f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ModelFetchError, match="ConnectError") as refused:
        fetch(wanted, tmp_path / "kept", 10**6, "m")
    assert "by path" in refused.value.hint


def test_silence_at_the_other_end_is_told(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "SILENT_S", 0.3)
    hub.redirects, hub.announced = 0, len(CONTENT) + 10  # ten bytes that never come
    with pytest.raises(ModelFetchError, match="ReadTimeout"):
        fetch(_wanted(hub, hub.put(CONTENT)), tmp_path / "kept", 10**6, "m")


def test_a_server_that_drips_is_not_waited_for_without_end(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "WHOLE_S", 0.0)
    with pytest.raises(ModelFetchError, match="within 0 minutes"):
        fetch(_wanted(hub, hub.put(CONTENT)), tmp_path / "kept", 10**6, "m")
    assert _left(tmp_path) == []


def test_a_name_from_the_server_is_never_a_file_of_ours(hub: Hub, tmp_path: Path) -> None:
    """Its ETag is ../../../escaped; the file is named by the checksum that the site gave."""
    kept = tmp_path / "a" / "b" / "kept"
    sha256 = hub.put(CONTENT)
    fetch(_wanted(hub, sha256), kept, 10**6, "m")
    assert _left(tmp_path) == [f"a/b/kept/{sha256}.onnx"]
