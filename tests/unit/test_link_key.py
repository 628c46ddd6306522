"""The key that signs links: made once, kept to ourselves, shared where the site says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.site import NOON

from tocsin.core.dispatch import PageId
from tocsin.core.errors import ConfigError, LinkRefusedError
from tocsin.core.links import Purpose
from tocsin.link_key import FILE, signer_of

PAGE = PageId("0c8d6b7e-6a3a-5b0c-9d7e-2f1a3b4c5d6e")


def test_it_is_made_at_the_first_start_and_kept_over_the_next(tmp_path: Path) -> None:
    token = signer_of(None, tmp_path).token(PAGE, Purpose.ACKNOWLEDGE, NOON)
    assert signer_of(None, tmp_path).read(token).page_id == PAGE
    path = tmp_path / FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [FILE], "nothing of the making is left"


def test_a_file_that_others_could_read_is_narrowed(tmp_path: Path) -> None:
    signer_of(None, tmp_path)
    (tmp_path / FILE).chmod(0o644)
    signer_of(None, tmp_path)
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_two_centres_with_one_key_of_the_environment_read_each_other_s_links(tmp_path: Path) -> None:
    key = SecretStr("a key that both centres were given, long enough")
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    token = signer_of(key, one).token(PAGE, Purpose.ACKNOWLEDGE, NOON)
    assert signer_of(key, other).read(token).page_id == PAGE
    with pytest.raises(LinkRefusedError):
        signer_of(None, other).read(token)


def test_a_damaged_or_short_key_is_refused_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("half of it\n")
    with pytest.raises(ConfigError, match="damaged") as refused:
        signer_of(None, tmp_path)
    assert "half" not in str(refused.value)
    with pytest.raises(ConfigError, match="TOCSIN_LINK_KEY"):
        signer_of(SecretStr("short"), tmp_path)


def test_a_folder_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="TOCSIN_LINK_KEY"):
        signer_of(None, tmp_path / "missing")
