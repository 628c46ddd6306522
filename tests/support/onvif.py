"""An ONVIF device on loopback: its SOAP services, a WS-Discovery responder, and ways to misbehave."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Self

from tests.support.handing import Quiet, Running

ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"
 xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl"
 xmlns:tt="http://www.onvif.org/ver10/schema" xmlns:ter="http://www.onvif.org/ver10/error">
<s:Body>{body}</s:Body></s:Envelope>"""

FAULT = (
    "<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>{code}</s:Value></s:Subcode></s:Code>"
    '<s:Reason><s:Text xml:lang="en">{reason}</s:Text></s:Reason></s:Fault>'
)


@dataclass
class SimulatedProfile:
    token: str
    stream: str
    snapshot: str = ""
    encoding: str = "H264"
    width: str = "1920"
    height: str = "1080"
    rate: str = "25"
    gop: str = "50"
    name: str = "Main"

    @property
    def xml(self) -> str:
        return (
            f'<trt:Profiles token="{self.token}" fixed="true"><tt:Name>{self.name}</tt:Name>'
            f'<tt:VideoEncoderConfiguration token="e-{self.token}">'
            "<tt:Name>e</tt:Name><tt:UseCount>1</tt:UseCount>"
            f"<tt:Encoding>{self.encoding}</tt:Encoding><tt:Resolution><tt:Width>{self.width}</tt:Width>"
            f"<tt:Height>{self.height}</tt:Height></tt:Resolution><tt:Quality>4</tt:Quality><tt:RateControl>"
            f"<tt:FrameRateLimit>{self.rate}</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval>"
            "<tt:BitrateLimit>4096</tt:BitrateLimit></tt:RateControl><tt:H264>"
            f"<tt:GovLength>{self.gop}</tt:GovLength><tt:H264Profile>Main</tt:H264Profile></tt:H264>"
            "<tt:Multicast><tt:Address><tt:Type>IPv4</tt:Type><tt:IPv4Address>0.0.0.0</tt:IPv4Address>"
            "</tt:Address><tt:Port>0</tt:Port><tt:TTL>1</tt:TTL><tt:AutoStart>false</tt:AutoStart></tt:Multicast>"
            "<tt:SessionTimeout>PT60S</tt:SessionTimeout></tt:VideoEncoderConfiguration></trt:Profiles>"
        )


Raw = Callable[[str], tuple[int, dict[str, str], bytes]]


@dataclass
class OnvifDevice:
    """Use it as a context manager. What it answers may be changed at any time."""

    profiles: list[SimulatedProfile] = field(default_factory=list[SimulatedProfile])
    username: str = ""
    password: str = ""
    http_digest: bool = False
    """Asks for HTTP digest instead of WS-UsernameToken."""
    ahead: timedelta = timedelta()
    """Its clock; tokens more than 10 s off it are refused."""
    faults: dict[str, str] = field(default_factory=dict[str, str])
    """By operation: the reason with which it is refused."""
    media_host: str = "127.0.0.1"
    raw: Raw | None = None
    """Answers instead of all else: status, headers, body, for an operation."""
    endless: bool = False
    """Answers with a body that never ends."""
    calls: list[str] = field(default_factory=list[str])

    def __enter__(self) -> Self:
        device = self

        class Handler(Quiet, BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                device._answer(self)

        self._running = Running(Handler, "onvif-device")
        self._running.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.end()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._running.port}"

    def nothing(self, _operation: str) -> tuple[int, dict[str, str], bytes]:
        return 500, {}, b""

    def usual(self, operation: str, asked: str) -> tuple[int, dict[str, str], bytes]:
        """What it answers to an operation when nobody has to prove anything."""
        answer = self._body(operation, asked)
        return 200, {}, ENVELOPE.format(body=answer or "").encode()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length", "0"))
        body = request.rfile.read(length).decode()
        found = re.search(r"<(?:[\w-]+:)?Body[^>]*>\s*<(?:[\w-]+:)?(\w+)", body)
        operation = found[1] if found else ""
        self.calls.append(operation)
        try:
            if self.endless:
                request.send_response(200)
                request.send_header("Content-Type", "application/soap+xml")
                request.end_headers()
                while True:
                    request.wfile.write(b"<a>" * 20_000)
            status, headers, content = (
                self.raw(operation) if self.raw else self._usual(operation, body, request)
            )
            request.send_response(status)
            for name, value in {"Content-Type": "application/soap+xml; charset=utf-8", **headers}.items():
                request.send_header(name, value)
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content)
        except OSError:  # the client had enough
            request.close_connection = True

    def _usual(
        self, operation: str, body: str, request: BaseHTTPRequestHandler
    ) -> tuple[int, dict[str, str], bytes]:
        if operation != "GetSystemDateAndTime" and self.username:
            if self.http_digest and not self._digest(request.headers.get("Authorization", "")):
                asks = 'Digest realm="cam", nonce="5f3a", qop="auth", algorithm=MD5'
                return 401, {"WWW-Authenticate": asks}, b""
            if not self.http_digest and not self._token(body):
                return _fault("ter:NotAuthorized", "Sender not Authorized")
        if operation in self.faults:
            return _fault("ter:ActionNotSupported", self.faults[operation])
        answer = self._body(operation, body)
        if answer is None:
            return _fault("ter:ActionNotSupported", "Optional Action Not Implemented")
        return 200, {}, ENVELOPE.format(body=answer).encode()

    def _body(self, operation: str, asked: str) -> str | None:
        media = f"http://{self.media_host}:{self._running.port}/onvif/media"
        token = (re.findall(r"ProfileToken>([^<]*)<", asked) or [""])[0]
        profile = next((p for p in self.profiles if p.token == token), None)
        match operation:
            case "GetSystemDateAndTime":
                now = datetime.now(UTC) + self.ahead
                time = f"<tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute>"
                day = (
                    f"<tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day>"
                )
                return (
                    "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>Manual"
                    "</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings><tt:UTCDateTime><tt:Time>"
                    f"{time}<tt:Second>{now.second}</tt:Second></tt:Time><tt:Date>{day}</tt:Date>"
                    "</tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
                )
            case "GetDeviceInformation":
                return (
                    "<tds:GetDeviceInformationResponse><tds:Manufacturer>Acme\x1b[31m</tds:Manufacturer>"
                    "<tds:Model>Eye [bold]9</tds:Model><tds:FirmwareVersion>1.2</tds:FirmwareVersion>"
                    "<tds:SerialNumber>7</tds:SerialNumber><tds:HardwareId>h</tds:HardwareId>"
                    "</tds:GetDeviceInformationResponse>"
                )
            case "GetServices":
                version = "<tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version>"
                return (
                    "<tds:GetServicesResponse><tds:Service><tds:Namespace>http://www.onvif.org/ver10/media/wsdl"
                    f"</tds:Namespace><tds:XAddr>{media}</tds:XAddr>{version}</tds:Service>"
                    "</tds:GetServicesResponse>"
                )
            case "GetCapabilities":
                return (
                    "<tds:GetCapabilitiesResponse><tds:Capabilities><tt:Media>"
                    f"<tt:XAddr>{media}</tt:XAddr><tt:StreamingCapabilities/></tt:Media></tds:Capabilities>"
                    "</tds:GetCapabilitiesResponse>"
                )
            case "GetProfiles":
                inner = "".join(p.xml for p in self.profiles)
                return f"<trt:GetProfilesResponse>{inner}</trt:GetProfilesResponse>"
            case "GetStreamUri" | "GetSnapshotUri" if profile is not None:
                uri = profile.stream if operation == "GetStreamUri" else profile.snapshot
                if not uri:
                    return None
                return (
                    f"<trt:{operation}Response><trt:MediaUri><tt:Uri>{uri}</tt:Uri><tt:InvalidAfterConnect>false"
                    "</tt:InvalidAfterConnect><tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>"
                    f"PT60S</tt:Timeout></trt:MediaUri></trt:{operation}Response>"
                )
            case _:
                return None

    def _token(self, body: str) -> bool:
        """WS-UsernameToken with a digest: Base64(SHA-1(nonce + created + password))."""

        def text(name: str) -> str:
            found = re.search(rf"<(?:[\w-]+:)?{name}\b[^>]*>([^<]*)<", body)
            return found[1] if found else ""

        created = text("Created")
        try:
            nonce = base64.b64decode(text("Nonce"))
            at = datetime.fromisoformat(created.replace("Z", "+00:00"))
        except (ValueError, binascii.Error):
            return False
        if abs(at - (datetime.now(UTC) + self.ahead)) > timedelta(seconds=10):
            return False
        wanted = hashlib.sha1(nonce + created.encode() + self.password.encode()).digest()
        return text("Username") == self.username and text("Password") == base64.b64encode(wanted).decode()

    def _digest(self, given: str) -> bool:
        parts = dict(re.findall(r'(\w+)="?([^",]*)"?', given))

        def md5(text: str) -> str:
            return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

        secret = md5(f"{self.username}:cam:{self.password}")
        path = md5(f"POST:{parts.get('uri', '')}")
        middle = f"{parts.get('nonce')}:{parts.get('nc')}:{parts.get('cnonce')}:{parts.get('qop')}"
        return parts.get("response") == md5(f"{secret}:{middle}:{path}")


def _fault(code: str, reason: str) -> tuple[int, dict[str, str], bytes]:
    return 400, {}, ENVELOPE.format(body=FAULT.format(code=code, reason=reason)).encode()


def probe_match(message: str, xaddrs: str, scopes: str, endpoint: str = "urn:uuid:1") -> bytes:
    """A ProbeMatches reply with one device."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
        'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
        'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header>'
        f"<a:RelatesTo>{message}</a:RelatesTo></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch>"
        f"<a:EndpointReference><a:Address>{endpoint}</a:Address></a:EndpointReference><d:Types>dn:X</d:Types>"
        f"<d:Scopes>{scopes}</d:Scopes><d:XAddrs>{xaddrs}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion>"
        "</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"
    ).encode()


class Responder:
    """Answers WS-Discovery questions on loopback with what `replies` makes of their message id."""

    def __init__(self, replies: Callable[[str], list[bytes]], *, deaf_to_first: int = 0) -> None:
        self._replies, self._deaf = replies, deaf_to_first
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="ws-discovery")
        self.asked = 0

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", int(self._socket.getsockname()[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                question, sender = self._socket.recvfrom(65_535)
            except TimeoutError:
                continue
            self.asked += 1
            found = re.search(rb"MessageID>([^<]*)<", question)
            if found is None or b"NetworkVideoTransmitter" not in question or self.asked <= self._deaf:
                continue
            for reply in self._replies(found[1].decode()):
                self._socket.sendto(reply, sender)
