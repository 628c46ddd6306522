"""Which certificates of cameras are trusted: the system's authorities, a file of one's own, or any."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import certifi

from tocsin.core.errors import ConfigError, SourceTlsError


@dataclass(frozen=True, slots=True)
class Trust:
    """`ca_file`: authorities in PEM instead of the system's. `verify` false: any certificate will do."""

    ca_file: Path | None = None
    verify: bool = True

    @property
    def authorities(self) -> str:
        """The file with the authorities that count; FFmpeg's TLS does not find the system's by itself."""
        system = ssl.get_default_verify_paths().cafile
        return str(self.ca_file or system or certifi.where())

    def context(self, where: str) -> ssl.SSLContext:
        """For connections to cameras. Raises ConfigError for authorities that cannot be read."""
        if not self.verify:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        try:
            return ssl.create_default_context(cafile=self.authorities)
        except (OSError, ssl.SSLError):
            raise ConfigError(
                f"ca_file {self.authorities} holds no certificates that can be read",
                where=where,
                hint="give a PEM file: -----BEGIN CERTIFICATE-----",
            ) from None


def tls_error(error: OSError, where: str) -> SourceTlsError:
    """Our error for one of OpenSSL's: what is wrong with the certificate, or that there is no TLS."""
    match error:
        case ssl.SSLCertVerificationError():
            return SourceTlsError(
                f"its certificate is not trusted: {error.verify_message or 'it cannot be verified'}",
                where=where,
                hint="name its authority as ca_file, or set verify_tls = false for this camera",
            )
        case ssl.SSLError():
            what = "it does not speak TLS as we do"
        case _:
            what = "it broke off the opening of TLS"
    return SourceTlsError(what, where=where, hint="check the port, or use the address without the s")


def distrust(host: str, port: int, trust: Trust, timeout_s: float, where: str) -> SourceTlsError | None:
    """Why no safe connection comes about, by trying one; None if TLS is not what is wrong."""
    try:
        with (
            socket.create_connection((host, port), timeout_s) as plain,
            trust.context(where).wrap_socket(plain, server_hostname=host),
        ):
            return None
    except TimeoutError:
        return None
    except ssl.SSLError as error:
        found = tls_error(error, where)
    except OSError:
        return None
    return found
