"""The error tree: every error says what happened, where, and what to do next."""

from __future__ import annotations

from typing import ClassVar


class TocsinError(Exception):
    """Any error that Tocsin raises on purpose.

    `code` is stable: documentation, logs and the API name the error by it.
    `permanent` tells whether trying again unchanged can ever help.
    """

    code: ClassVar[str] = "error"
    permanent: ClassVar[bool] = True

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what = what
        self.where = where
        self.hint = hint
        super().__init__(what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.hint})" if self.hint else text


class ConfigError(TocsinError):
    """The configuration is wrong; nothing was started."""

    code = "config"


class NotWrittenError(ConfigError):
    """A camera that was not written into the configuration: it must be put there by hand."""

    code = "config-not-written"


class UnknownHazardError(TocsinError):
    """Somebody named a hazard that is not in the closed catalogue (invariant 5)."""

    code = "unknown-hazard"


class ForeignLabelError(UnknownHazardError):
    """A detector speaks of something that is not a hazard: it is refused whole (invariant 3)."""

    code = "foreign-label"


class ModelLabelsError(ForeignLabelError):
    """A model whose classes are not named one by one: nobody can say what it looks for, so it is refused."""

    code = "model-labels"


class IllegalMoveError(TocsinError):
    """This move is not in the alarm's table; nothing was changed."""

    code = "illegal-move"


class SilenceError(TocsinError):
    """A silence without a reason, or longer than allowed (invariant 8)."""

    code = "silence"


class InvalidEdgeError(TocsinError):
    """An edge or report that cannot be read as one."""

    code = "invalid-edge"


class InvalidInputError(TocsinError):
    """Something that a person gave does not fit: a choice outside its list, a text that is too long."""

    code = "invalid-input"


class RosterError(InvalidInputError):
    """A change of duty, or a calendar, that cannot be."""

    code = "duty"


class ZoneError(InvalidInputError):
    """A mask or ignore zone that cannot be drawn so."""

    code = "zone"


class ZonesChangedError(TocsinError):
    """Somebody else has changed these zones since they were read; nothing was saved."""

    code = "zones-changed"


class GeometryError(InvalidInputError):
    """A place, direction or lens that cannot be."""

    code = "geometry"


class CalibrationError(InvalidInputError):
    """What was clicked does not settle how a camera looks."""

    code = "calibration"


class CalibrationChangedError(TocsinError):
    """Somebody else has saved a calibration since this one was read; nothing was saved."""

    code = "calibration-changed"


class NotFoundError(TocsinError):
    """There is nothing by that name."""

    code = "not-found"


class NotAllowedError(TocsinError):
    """Who asks may not do this."""

    code = "not-allowed"


class ForeignReplyError(TocsinError):
    """A reply from an address or number that is no responder's."""

    code = "foreign-reply"


class LinkRefusedError(NotAllowedError):
    """A link that we never made, or that somebody has changed."""

    code = "link-refused"


class LinkOverError(TocsinError):
    """A link that was ours, but is used, expired, or of an alarm that is over. `alarm_id` is that alarm's."""

    code = "link-over"

    def __init__(self, what: str, *, alarm_id: str = "", where: str = "", hint: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.alarm_id = alarm_id


class PictureError(TocsinError):
    """Bytes that are not a picture we accept."""

    code = "picture"


class PictureBusyError(TocsinError):
    """Too many pictures came at once, or no process could be started to decode one: to be sent again."""

    code = "picture-busy"
    permanent = False


class FootageError(TocsinError):
    """Labelled footage that is missing or does not hold together; nothing was evaluated."""

    code = "footage"


class SourceError(TocsinError):
    """A camera or file that gives no pictures."""

    code = "source"
    permanent = False


class SourceUnreachableError(SourceError):
    """Nobody answers at the camera's address."""

    code = "source-unreachable"


class SourceRefusedError(SourceError):
    """There is a machine at the camera's address, but it refuses the connection or the request."""

    code = "source-refused"


class SourceTlsError(SourceError):
    """No safe connection: the camera's certificate is not one that we trust, or it does not speak TLS."""

    code = "source-tls"


class SourceProtocolError(SourceError):
    """What answers does not speak as a camera does."""

    code = "source-protocol"


class SourceAuthError(SourceError):
    """The camera refuses our credentials. Trying again is allowed: someone may be fixing them."""

    code = "source-auth"


class SourceNotFoundError(SourceError):
    """The camera answers, but has no such stream; or there is no such file."""

    code = "source-not-found"


class SourceCodecError(SourceError):
    """The pictures come in a form that we cannot decode."""

    code = "source-codec"


class SourceTimeoutError(SourceError):
    """The camera went silent."""

    code = "source-timeout"


class ForeignHostError(TocsinError):
    """A device sends us to an address that is not its own: nothing is opened there unasked."""

    code = "foreign-host"


class DetectorError(TocsinError):
    """A detector that failed on a picture; it is left out of that look."""

    code = "detector"
    permanent = False


class ModelError(TocsinError):
    """A model file that cannot be used."""

    code = "model"


class ModelOperatorError(ModelError):
    """The model needs something that the installed ONNX Runtime lacks."""

    code = "model-operator"


class ModelShapeError(ModelError):
    """The model's input or output has a form that we cannot use, or that the configuration must name."""

    code = "model-shape"


class ModelChecksumError(ModelError):
    """The file is not the one that was meant; it was not opened."""

    code = "model-checksum"


class ModelFetchError(ModelError):
    """The hub does not give the file. Trying again may help: the network may be down."""

    code = "model-fetch"
    permanent = False


class StoreError(TocsinError):
    """The database did not take it."""

    code = "store"
    permanent = False


class StoreFullError(StoreError):
    """The disk under the database is full."""

    code = "store-full"


class StoreBusyError(StoreError):
    """The database is locked by somebody else for longer than we wait."""

    code = "store-busy"


class StoreRefusedError(StoreError):
    """The database refuses what is in a row; it is of no use to send it again."""

    code = "store-refused"
    permanent = True


class DeliveryError(TocsinError):
    """A page that did not leave."""

    code = "delivery"


class TemporaryDeliveryError(DeliveryError):
    """It may leave later: try again."""

    code = "delivery-temporary"
    permanent = False


class PermanentDeliveryError(DeliveryError):
    """It will never leave this way: the address or the request is wrong."""

    code = "delivery-permanent"
