"""The command line in the test's own process."""

from __future__ import annotations

import sys

import pytest

from tocsin import cli

TOKEN = "a-token-of-the-test"


class Cli:
    """The command line in this process: starting a new one costs seconds each time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, *arguments: str) -> str:
        """Exit status 0; returns what was printed."""
        self._monkeypatch.setattr(sys, "argv", ["tocsin", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = self._capsys.readouterr()
        assert ended.value.code in (0, None), printed
        return printed.out

    def refused(self, *arguments: str, says: str) -> str:
        """One line in plain words and exit status 2; returns all that was printed."""
        self._monkeypatch.setattr(sys, "argv", ["tocsin", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = self._capsys.readouterr()
        assert ended.value.code == 2, printed
        assert printed.err.startswith("error ")
        assert len(printed.err.splitlines()) == 1
        assert says in printed.err
        return printed.err + printed.out
