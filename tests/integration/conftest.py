"""Fixtures of the integration tests."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
import structlog
from pydantic import SecretStr
from tests.support.cli import TOKEN, Cli
from tests.support.receiver import SECRET, Receiver
from tests.support.site import SetClock

from tocsin.channels.webhook import WebhookChannel


@pytest.fixture
def tocsin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Cli]:
    """The command line, in an empty folder and without the caller's environment."""
    for key in [key for key in os.environ if key.startswith("TOCSIN_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("TOCSIN_WATCHER_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    before = structlog.get_config()
    yield Cli(monkeypatch, capsys)
    structlog.configure(**before)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture
async def hook() -> AsyncGenerator[WebhookChannel]:
    made = WebhookChannel(SecretStr(SECRET), SetClock(), timeout_s=5.0)
    yield made
    await made.close()
