"""Cameras that speak RTSP (RFC 2326), over TCP, TLS or UDP, decoded by FFmpeg.

FFmpeg takes credentials only inside the URL, and puts that URL into its exceptions. So the URL with
the password exists only in `_opened`, and no exception of FFmpeg's leaves this file, not as a cause
either: errors are described in `refusals` and raised after the `except` block is left.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from enum import StrEnum
from typing import Final
from urllib.parse import quote, urlsplit

import av.error
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from tocsin.core.errors import (
    ConfigError,
    SourceError,
    SourceRefusedError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from tocsin.core.observation import CameraId, FrameInfo
from tocsin.ports import PATROL, Clock, Frame, Gaze, Rates
from tocsin.sources.addresses import camera_addresses, literal
from tocsin.sources.arrival import Arrivals, taken_at
from tocsin.sources.decoding import (
    CODECS,
    MAX_FRAME_PX,
    Runs,
    bgr,
    has_decoder,
    open_container,
    video_stream,
)
from tocsin.sources.flow import Flow
from tocsin.sources.lens import Due, Lens, Looks
from tocsin.sources.refusals import described, flooding, silent, undecodable
from tocsin.sources.trust import Trust, distrust
from tocsin.sources.urls import checked_url, without_secrets

OPTIONS: Final = {
    "allowed_media_types": "video",
    "analyzeduration": "200000",
    "codec_whitelist": ",".join(sorted(CODECS)),
    "probesize": "200000",
    "protocol_whitelist": "rtsp,rtsps,rtp,tcp,udp,tls",
    "rtsp_flags": "filter_src",
}
"""The small probe opens in 0.2 s instead of 1.1 s. A camera's answer leads FFmpeg to no file and no web, and
over UDP it takes packets from the camera alone: a few of anybody else's made it drop the camera's as too old.

FFmpeg does follow redirects (RTSP 301, 302) by itself, to any rtsp:// and rtsps:// address, and no option
forbids it. What that gives away: OPTIONS and DESCRIBE to whoever is there, which are no HTTP for a metadata
service, with the proof of the password, which the camera that redirects had before. However often they lead
in a circle, it ends with the open time-out."""

MAX_CREDENTIALS: Final = 127
"""FFmpeg keeps user:password, percent-encoded, in 128 bytes and cuts off the rest without a word."""

KEYFRAME_WAIT_S: Final = 12.0
"""Decoding begins at a keyframe: begun in mid-GOP, 31 frames came out broken and unflagged. Cameras
that refresh line by line send none at all, so after this time we begin anyway."""

PORTS: Final = {"rtsp": 554, "rtsps": 322}

MOST_ADDRESSES: Final = 3
"""Of one name; each is tried in its share of the time."""

TLS_TRIAL_S: Final = 2.0
"""How long it may take to find out why no safe connection came about."""

NO_PICTURE_S: Final = 20.0
"""Packets for this long without one picture: what they carry cannot be decoded."""

OTHER_THINGS: Final = ", though the camera sends other things"

BEHIND_S: Final = 2.0
"""Packets that come later than others by this much: we do not read them as fast as they are sent. Then
stares are as sparse as patrols, for what is looked at late is looked at in vain."""

WAITED_S: Final = 0.005
KEEPS_UP_S: Final = 1.0
"""Who had to wait for a packet within this time keeps up, whatever the stamps say: they may stand still, or
go at another pace than the camera's description has them."""


class Transport(StrEnum):
    """How a camera's packets come: in the RTSP connection, or beside it. Lost ones are broken pictures."""

    TCP = "tcp"
    UDP = "udp"


class RtspSource:
    """One RTSP camera as a Source; `frames` opens it anew at each call, also after an error.

    The socket is always drained, whatever is decoded of it (see `lens`). `clock_s` and `at` are those of
    the arrival, evened out by the frames' own stamps; a stare that begins with packets that had already
    come gives them their own, earlier times. `index` counts the frames since the stream was opened.
    """

    def __init__(
        self,
        camera: CameraId,
        url: str,
        *,
        clock: Clock,
        username: str | None = None,
        password: str | None = None,
        transport: Transport = Transport.TCP,
        trust: Trust | None = None,
        open_timeout_s: float = 5.0,
        read_timeout_s: float = 3.0,
        rates: Rates | None = None,
        gaze: Gaze = PATROL,
    ) -> None:
        """`trust` is for rtsps, which comes over TCP.

        Raises ConfigError for a URL that is not rtsp:// or rtsps://, has credentials in it, or names an
        address that no camera may have; and for authorities that cannot be read.
        """
        self._where = f"camera {camera} at {without_secrets(url)}"
        self._url = checked_url(url, "RTSP", PORTS, self._where)
        self._safe = urlsplit(url).scheme == "rtsps"
        self._trust = trust or Trust()
        self._options = {**OPTIONS, "rtsp_transport": "tcp" if self._safe else transport.value}
        if self._safe and self._trust.verify:
            self._trust.context(self._where)
            self._options |= {"tls_verify": "1", "ca_file": self._trust.authorities}
        self._credentials = _credentials(username, password, self._where)
        self._camera = camera
        self._clock = clock
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._rates = rates or Rates()
        self._gaze = gaze
        self._runs = Runs()

    def __repr__(self) -> str:
        return f"RtspSource({self._where})"

    def frames(self) -> Iterator[Frame]:
        """Frames until the stream fails: it never ends without an error.

        Raises SourceUnreachableError (nobody there), SourceRefusedError (nothing listens, or a status of
        failure), SourceTlsError, SourceAuthError (401, 403), SourceNotFoundError (404), SourceTimeoutError
        (no answer in time, silent for `read_timeout_s`, or ended), SourceProtocolError (no RTSP) and
        SourceCodecError (no video that we can decode).
        """
        return self._runs.start(self._play)

    def close(self) -> None:
        self._runs.close()

    def packets(self) -> Generator[tuple[VideoStream, Packet[Stream]]]:
        """The stream and its video packets as they come, none decoded, for whoever measures it.

        It never ends without one of the errors of `frames`; close it to close the connection.
        """
        container = self._open()
        if isinstance(container, SourceError):
            raise container
        with container:
            stream = self._stream(container)
            packets = container.demux()
            last_s = self._clock.monotonic_s()
            flow = Flow(last_s)
            while True:
                packet = self._next(packets)
                if isinstance(packet, SourceError):
                    raise packet
                now_s = self._clock.monotonic_s()
                if packet.stream_index == stream.index and packet.size:
                    last_s = now_s
                    if flow.flooded(packet.size, now_s):
                        raise flooding(self._where)
                    yield stream, packet
                elif now_s - last_s > self._read_timeout_s:
                    raise silent(self._where, self._read_timeout_s, OTHER_THINGS)

    def _play(self, wanted: Callable[[], bool]) -> Generator[Frame]:
        container = self._open()
        if isinstance(container, SourceError):
            raise container
        with container:
            stream = self._stream(container)
            # All streams, not just ours: else a camera that goes on sending only sound
            # would keep FFmpeg busy inside one call for ever.
            packets = container.demux()
            arrivals, index, started = Arrivals(), 0, False
            lens = Lens(stream, self._rates, self._gaze, Looks(), arrivals.of)
            opened_s = last_packet_s = last_picture_s = self._clock.monotonic_s()
            flow, waited_s = Flow(opened_s), opened_s
            while wanted():
                asked_s = self._clock.monotonic_s()
                packet = self._next(packets)
                if isinstance(packet, SourceError):
                    raise packet
                now_s = self._clock.monotonic_s()
                # When its time is up FFmpeg first hands out the picture that its parser still held, and
                # reports the silence only after waiting as long again: noticed in 6 s instead of 3.
                if now_s - asked_s >= 0.98 * self._read_timeout_s:
                    raise silent(self._where, self._read_timeout_s)
                if packet.stream_index != stream.index or not packet.size:
                    if now_s - last_packet_s > self._read_timeout_s:
                        raise silent(self._where, self._read_timeout_s, OTHER_THINGS)
                    continue
                last_packet_s = now_s
                if flow.flooded(packet.size, now_s):
                    raise flooding(self._where)
                started = started or packet.is_keyframe or now_s - opened_s > KEYFRAME_WAIT_S
                arrivals.arrived(lens.stamp_s(packet.pts), now_s)
                if now_s - asked_s > WAITED_S:
                    waited_s = now_s
                lens.behind = arrivals.delay_s > BEHIND_S and now_s - waited_s > KEEPS_UP_S
                decoded = lens.pictures
                if not started:
                    continue
                for due in lens.take(packet, index, now_s):
                    frame = self._frame(due)
                    del due  # the decoded picture, 3 MB of each 1080p camera until the next look
                    yield frame
                    del frame
                    if not wanted():
                        return
                    # The time that the detectors took is not the camera's silence.
                    last_packet_s = self._clock.monotonic_s()
                index += 1
                if lens.pictures != decoded:
                    last_picture_s = self._clock.monotonic_s()
                if now_s - last_picture_s > NO_PICTURE_S:
                    raise undecodable(self._where, "packets come, but no picture can be decoded from them")

    def _frame(self, due: Due) -> Frame:
        picture = bgr(due.frame)
        height_px, width_px = picture.shape[:2]
        at = taken_at(self._clock, due.at_s)
        keyframe = bool(due.frame.key_frame)
        info = FrameInfo(self._camera, at, due.at_s, due.index, width_px, height_px, keyframe, due.skipped)
        return Frame(info, picture)

    def _open(self) -> InputContainer | SourceError:
        """The open stream, or what is wrong with it, of the first address that answers."""
        hosts = self._hosts()
        ends_s = self._clock.monotonic_s() + self._open_timeout_s
        for left, host in zip(range(len(hosts), 1, -1), hosts, strict=False):
            opened = self._opened(host, max(0.1, (ends_s - self._clock.monotonic_s()) / left))
            if not isinstance(opened, SourceUnreachableError | SourceRefusedError | SourceTimeoutError):
                return opened
        return self._opened(hosts[-1], max(0.1, ends_s - self._clock.monotonic_s()))

    def _hosts(self) -> Sequence[str]:
        """What FFmpeg is to connect to: what was looked at, lest a name leads elsewhere when it asks again.

        Over TLS it must have the name, for the certificate; whoever else answers has none for it.
        """
        parts = urlsplit(self._url)
        host = parts.hostname or ""
        if literal(host) is not None:
            return [host]
        addresses = camera_addresses(host, parts.port or PORTS[parts.scheme], self._where)
        if self._safe:
            return [host]
        return list(dict.fromkeys(str(address[0]) for _, address in addresses))[:MOST_ADDRESSES]

    def _opened(self, host: str, within_s: float) -> InputContainer | SourceError:
        """The open stream, or what is wrong with it. The only place that knows the password's URL."""
        parts = urlsplit(self._url)
        port = parts.port or PORTS[parts.scheme]
        at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        netloc = f"{self._credentials}@{at}" if self._credentials else at
        asked_s = self._clock.monotonic_s()
        url = f"{parts.scheme}://{netloc}{self._url.partition('://')[2].removeprefix(parts.netloc)}"
        try:
            return open_container(url, self._options, (within_s, self._read_timeout_s))
        except (av.error.FFmpegError, OSError) as error:
            failure = described(error, self._where, within_s, opening=True)
        took_s = self._clock.monotonic_s() - asked_s
        # FFmpeg reports all that is wrong with TLS as an input/output error.
        if self._safe and isinstance(failure, SourceUnreachableError | SourceTimeoutError):
            distrusted = distrust(host, port, self._trust, TLS_TRIAL_S, self._where)
            if distrusted is not None:
                return distrusted
        # An opening that was cut short for its time reports whatever it was at, often bad data.
        if took_s >= 0.98 * within_s:
            return SourceTimeoutError(
                f"no answer within {within_s:.2g} s",
                where=self._where,
                hint="check the camera's power and network",
            )
        return failure

    def _stream(self, container: InputContainer) -> VideoStream:
        stream = video_stream(container)
        if stream is None:
            raise undecodable(self._where, "the camera offers no video")
        if not has_decoder(stream):
            raise undecodable(self._where, "we have no decoder for the codec that the camera sends")
        decoder = stream.codec_context
        if decoder.name not in CODECS:
            raise undecodable(self._where, f"it sends {decoder.name}, which is not decoded")
        if decoder.width * decoder.height > MAX_FRAME_PX:
            raise undecodable(
                self._where,
                f"its pictures of {decoder.width} x {decoder.height} px are not decoded: "
                f"at most {MAX_FRAME_PX // 1_000_000} megapixels are",
            )
        return stream

    def _next(self, packets: Iterator[Packet[Stream]]) -> Packet[Stream] | SourceError:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, OSError) as error:
            return described(error, self._where, self._read_timeout_s)
        # At the end of a stream FFmpeg gives empty packets, then none: for a camera that is a failure.
        if packet is None or (not packet.size and packet.dts is None):
            return SourceTimeoutError(
                "the stream ended: the camera closed it, or was switched off",
                where=self._where,
                hint="it will be opened again; if this repeats, look at the camera's connection limit",
            )
        return packet


def _credentials(username: str | None, password: str | None, where: str) -> str:
    if not username and not password:
        return ""
    encoded = f"{quote(username or '', safe='')}:{quote(password or '', safe='')}"
    if len(encoded) > MAX_CREDENTIALS:
        raise ConfigError(
            f"user name and password are longer than {MAX_CREDENTIALS} characters when percent-encoded",
            where=where,
            hint="give the camera a shorter password, or one with fewer special characters",
        )
    return encoded
