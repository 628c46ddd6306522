"""Models from the Hugging Face hub: one file of one commit, and only with the checksum that the site gave.

One GET, streamed. The hub's own library was tried (2.4.0): it names files after the server's ETag, so that
one with ../ in it is written outside its cache, and it stops at no size; see docs/decisions/0009.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import httpx

from tocsin.core.errors import ModelChecksumError, ModelFetchError
from tocsin.detectors.runtime import read_model

HUB: Final = "https://huggingface.co"
CONNECT_S: Final = 10.0
SILENT_S: Final = 30.0
"""No byte for so long ends the download."""
WHOLE_S: Final = 1800.0
"""Half an hour for one file: 500 MB at 2.2 Mbit/s. A server that drips must not hold up the start."""
_MOST_REDIRECTS: Final = 5


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a public repository at one commit (`revision`, 40 hex digits), with its SHA-256."""

    repo: str
    file: str
    revision: str
    sha256: str
    endpoint: str = HUB

    @property
    def url(self) -> str:
        path = "/".join(quote(part, safe="/") for part in (self.repo, "resolve", self.revision, self.file))
        return f"{self.endpoint.rstrip('/')}/{path}"


def fetch(wanted: HubFile, kept_in: Path, max_bytes: int, where: str) -> bytes:
    """The file's content, from `kept_in` if it is there; otherwise it is fetched and kept there.

    What does not have the checksum is neither returned nor kept. Raises ModelChecksumError, and
    ModelFetchError when the hub does not give the file.
    """
    kept = kept_in / f"{wanted.sha256}.onnx"
    if kept.is_file():
        content = read_model(kept, where, max_bytes)
        if hashlib.sha256(content).hexdigest() == wanted.sha256:
            return content
        # Somebody or some disk has changed it since: the hub's is fetched again.
        kept.unlink()
    kept_in.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=kept_in) as folder:
        part = Path(folder) / "part"
        found = _download(wanted, part, max_bytes, where)
        if found != wanted.sha256:
            raise ModelChecksumError(
                f"what the hub gave has SHA-256 {found}, not {wanted.sha256}",
                where=where,
                hint="it was thrown away; compare sha256, revision and file with the hub's page",
            )
        content = read_model(part, where, max_bytes)
        part.replace(kept)
    return content


def _download(wanted: HubFile, part: Path, max_bytes: int, where: str) -> str:
    """Streams the file to `part`; returns its SHA-256."""
    host = urlsplit(wanted.endpoint).hostname or wanted.endpoint
    timeout = httpx.Timeout(SILENT_S, connect=CONNECT_S)
    # No token is sent: whoever stands at the other end learns nothing of this site.
    client = httpx.Client(timeout=timeout, follow_redirects=True, max_redirects=_MOST_REDIRECTS)
    ends_s = time.monotonic() + WHOLE_S
    try:
        with client, client.stream("GET", wanted.url, headers={"Accept-Encoding": "identity"}) as answer:
            _check_answer(answer, wanted, host, where)
            digest, size = hashlib.sha256(), 0
            with part.open("wb") as file:
                for piece in answer.iter_raw():
                    size += len(piece)
                    if size > max_bytes:
                        raise ModelFetchError(
                            f"{wanted.file} is larger than {max_bytes / 1e6:g} MB",
                            where=where,
                            hint="use a smaller model, or raise max_mb",
                        )
                    if time.monotonic() > ends_s:
                        raise ModelFetchError(
                            f"{host} did not give {wanted.file} within {WHOLE_S / 60:g} minutes",
                            where=where,
                            hint="fetch the file yourself and name it by path",
                        )
                    digest.update(piece)
                    file.write(piece)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ModelFetchError(
            f"{host} did not give {wanted.file} ({type(error).__name__})",
            where=where,
            hint="check the network; or fetch the file yourself and name it by path",
        ) from None
    return digest.hexdigest()


def _check_answer(answer: httpx.Response, wanted: HubFile, host: str, where: str) -> None:
    if answer.status_code in (401, 403, 404):
        raise ModelFetchError(
            f"{host} has no {wanted.file} in {wanted.repo} at {wanted.revision[:12]},"
            f" or not for everybody ({answer.status_code})",
            where=where,
            hint="check repo, file and revision; for one that needs an account: fetch it, name it by path",
        )
    if answer.status_code != 200:
        raise ModelFetchError(f"{host} answered {answer.status_code}", where=where, hint="try again later")
    for one in (*answer.history, answer):
        commit = one.headers.get("x-repo-commit")
        if commit is not None and commit != wanted.revision:
            raise ModelFetchError(
                f"{host} gave another commit ({commit[:12]!r}) than {wanted.revision[:12]}",
                where=where,
                hint="the revision was moved or the mirror is wrong; compare with the hub's page",
            )
