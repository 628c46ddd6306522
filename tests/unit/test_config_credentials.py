"""Credentials that are kept beside the spool: for this account alone, behind the environment's."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from tocsin.config_streams import camera_credentials, keep_credentials
from tocsin.core.errors import ConfigError


def _read(folder: Path) -> tuple[str | None, str | None]:
    username, password = camera_credentials("hall-1", folder)
    return username, None if password is None else password.get_secret_value()


def test_what_is_kept_comes_back_and_only_this_account_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "credentials"
    assert _read(folder) == (None, None)
    for username, password in (("ana", 'h"\\\n\u00fc \u2028 #'), (None, "only"), ("only", None), ("", "")):
        keep_credentials(folder, "hall-1", username, None if password is None else SecretStr(password))
        assert _read(folder) == (username, password)
        assert camera_credentials("hall-2", folder) == (None, None)
    (file,) = folder.iterdir()
    assert (file.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    keep_credentials(folder, "hall-1", None, None)
    assert list(folder.iterdir()) == []


def test_the_environment_is_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_credentials(tmp_path, "hall-1", "ana", SecretStr("kept"))
    assert camera_credentials("hall-1") == (None, None)
    monkeypatch.setenv("TOCSIN_CAMERA_HALL_1_PASSWORD", "set")
    assert _read(tmp_path) == (None, "set"), "never one half from here and the other from there"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('password = "hunter2', "not TOML"), (b"\xff\xfe hunter2", "not UTF-8"),
        ("password = 7", "must be texts"), ('password = ["hunter2"]', "must be texts"),
        ('password = "' + "hunter2" * 1000 + '"', "not TOML"),
    ],
)  # fmt: skip
def test_a_broken_file_is_said_without_what_is_in_it(tmp_path: Path, text: str | bytes, says: str) -> None:
    path = tmp_path / "hall-1.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=says) as told:
        _read(tmp_path)
    assert "hunter2" not in f"{told.value} {told.value.__cause__}"
    assert str(path) in str(told.value)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    keep_credentials(tmp_path, "hall-1", "ana", SecretStr("hunter2"))
    (tmp_path / "hall-1.toml").chmod(0o640)
    with pytest.raises(ConfigError, match="others may read") as told:
        _read(tmp_path)
    assert "chmod 600" in told.value.hint
