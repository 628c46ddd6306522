"""`tocsin channel test`: a marked message, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.support.cli import Cli
from tests.support.receiver import SECRET, Answer, Receiver

from tocsin import cli


def written(url: str) -> None:
    Path("tocsin.toml").write_text(
        '[[responder]]\nid = "ana"\nname = "Ana"\n'
        f'contacts = [{{ channel = "webhook", address = "{url}" }}]\n'
    )


def test_a_test_says_that_it_is_one(
    tocsin: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOCSIN_WEBHOOK_SECRET", SECRET)
    with Receiver() as receiver:
        written(receiver.url())
        monkeypatch.setattr(sys, "argv", ["tocsin", "channel", "test", "webhook", receiver.url("/s3cret")])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert not ended.value.code
        out = capsys.readouterr().out
        assert "204" in out
        assert "s3cret" not in out
        (got,) = receiver.received
        assert got.page["status"] == "Test"
        assert got.page["subject"].startswith("TEST (no real hazard)")
        receiver.answer = lambda _: Answer(503)
        tocsin.refused("channel", "test", "webhook", receiver.url(), says="delivery-temporary")


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [
        ("fax", "1", "no channel 'fax'"),
        ("sms", "112", "telephone number"),
        ("sms", "+351912345678", "[channel.sms]"),
        ("webpush", "ana", "[channel.webpush]"),
    ],
)
def test_what_cannot_be_tested_is_told(
    tocsin: Cli, monkeypatch: pytest.MonkeyPatch, name: str, address: str, said: str
) -> None:
    monkeypatch.setenv("TOCSIN_WEBHOOK_SECRET", SECRET)
    written("http://127.0.0.1:9/")
    tocsin.refused("channel", "test", name, address, says=said)
