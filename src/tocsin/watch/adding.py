"""Writes a camera that was measured for the console into this watcher's own configuration file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from tocsin.config import from_values
from tocsin.config_edit import section_of, trust_of, with_camera, write_over
from tocsin.config_streams import camera_variables, keep_credentials
from tocsin.core.errors import ConfigError, NotWrittenError
from tocsin.wire_onboarding import Added, NewCamera


class CameraFile:
    """The file that this watcher was started with, and the folder beside its spool for credentials."""

    def __init__(
        self, path: Path | None, credentials: Path, changed: Callable[[], None] | None = None
    ) -> None:
        """`path`: None if it was started without a file. `changed` makes it take up what was written."""
        self._path = path
        self._credentials = credentials
        self._changed = changed

    def add(
        self,
        camera: NewCamera,
        source: str,
        username: str | None,
        password: SecretStr | None,
        *,
        any_certificate: bool = False,
    ) -> Added:
        """Writes its section, and keeps its credentials.

        Raises ConfigError for what does not fit into the file, and NotWrittenError where the file cannot be
        written; then nothing is changed.
        """
        section = section_for(camera, source, any_certificate)
        # Checked by itself first: what is wrong with it is worth more than where it cannot be written.
        from_values({"camera": [section]}, "the new camera")
        by_hand = _by_hand(camera.id, signs_in=username is not None or password is not None)
        if self._path is None:
            raise NotWrittenError("its watcher was started without a configuration file", hint=by_hand)
        try:
            before = self._path.read_bytes().decode("utf-8")
            after = _with(before, section, self._path.name, by_hand)
            keep_credentials(self._credentials, camera.id, username, password)
            try:
                write_over(self._path, before, after)
            except BaseException:
                keep_credentials(self._credentials, camera.id, None, None)
                raise
        except UnicodeDecodeError:
            raise ConfigError("it is not UTF-8", where=self._path.name) from None
        except OSError as error:
            what = (error.strerror or "it cannot be written").lower()
            raise NotWrittenError(what, where=str(error.filename or self._path), hint=by_hand) from None
        if self._changed is not None:
            self._changed()
        return Added(camera=camera.id, file=str(self._path), live=self._changed is not None)


def _with(before: str, section: dict[str, object], where: str, by_hand: str) -> str:
    """As `with_camera`, with the hint of the console."""
    try:
        return with_camera(before, section, where)
    except NotWrittenError as error:
        raise NotWrittenError(error.what, where=error.where, hint=by_hand) from None


def section_for(camera: NewCamera, source: str, any_certificate: bool) -> dict[str, object]:
    """The camera's section, without what nobody has said."""
    said = camera.model_dump(mode="json", exclude_defaults=True)
    trust = trust_of(source, any_certificate=any_certificate)
    return {"id": said.pop("id"), "source": source, **trust, **said}


def section_text(camera: NewCamera, source: str, any_certificate: bool) -> str:
    """The same, as TOML."""
    return section_of(section_for(camera, source, any_certificate))


def _by_hand(camera: str, *, signs_in: bool) -> str:
    text = "put the section below into its configuration by hand, and restart it"
    if signs_in:
        text += f"; set {' and '.join(camera_variables(camera))} in its environment"
    return text
