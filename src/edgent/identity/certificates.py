"""Keys and certificates: an authority of one's own, and what it signs (X.509, RFC 5280; keys on the curve P-256).

Every function that makes or judges a certificate is told the time, for a board without a battery may believe that it
is 1970.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edgent.errors import InputError
from edgent.identity.credentials import EDGE_NAME

DEVICE_LIFETIME = timedelta(days=90)
EDGE_LIFETIME = timedelta(days=397)  # the longest that auditors let pass
_AUTHORITY_LIFETIME = timedelta(days=20 * 365)
# A certificate counts from two days before it was made: clocks of boards are off, by a day and more after a power cut.
_BACKDATED = timedelta(days=2)
_RENEWED = 1 / 3  # of the lifetime left: a month of a device's, in which it may be switched off
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")

_NO_CERTIFICATE = InputError("found no certificate; expected one as PEM")
_NO_KEY = InputError("found no private key without a password; expected one as PEM")
_Key = ec.EllipticCurvePrivateKey


def check_name(name: str) -> str:
    """A device's name: what can stand in a certificate, a log and a file's name alike.

    Raises:
        InputError: it cannot.
    """
    if not _NAME.fullmatch(name):
        shown = name if len(name) <= 64 else name[:61] + "..."
        raise InputError(f"device name {shown!r}: expected 1 to 63 of a-z, 0-9, '.', '_' and '-', no sign at an end")
    return name


def new_key() -> bytes:
    """A private key, as PEM."""
    return _key_pem(ec.generate_private_key(ec.SECP256R1()))


def request_for(name: str, key: bytes) -> bytes:
    """A request for a certificate by a name (PKCS #10), as PEM; signed, which proves that the key is the asker's."""
    request = x509.CertificateSigningRequestBuilder().subject_name(_common_name(check_name(name)))
    return request.sign(_read_key(key), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What signs the certificates of one edge and its devices.

    Attributes:
        certificate: its own, signed by itself, as PEM.
        key: as PEM.
    """

    certificate: bytes
    key: bytes

    @classmethod
    def create(cls, now: datetime) -> Self:
        """A new one, which nobody trusts yet."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            _dated(_common_name("Edgent authority"), now, _AUTHORITY_LIFETIME)
            .issuer_name(_common_name("Edgent authority"))
            .public_key(key.public_key())
            # It signs for machines and for no further authority.
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        return cls(certificate=_pem(builder.sign(key, hashes.SHA256())), key=_key_pem(key))

    @property
    def fingerprint(self) -> str:
        """What a token says of it; see `fingerprint`."""
        return fingerprint(self.certificate)

    def edge_certificate(self, key: bytes, names: Iterable[str], now: datetime) -> bytes:
        """A certificate for the edge, with the chain to the authority.

        Args:
            key: the edge's, as PEM.
            names: host names and IP addresses by which stock clients reach it; ours go by `EDGE_NAME`.
            now: when it is made.
        """
        known = dict.fromkeys((EDGE_NAME, *names))
        builder = (
            _dated(_common_name(EDGE_NAME), now, EDGE_LIFETIME)
            .public_key(_read_key(key).public_key())
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in known]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        return self._signed(builder) + self.certificate

    def device_certificate(self, name: str, request: bytes, now: datetime) -> bytes:
        """A certificate for a device, which is good for connecting and never for being an edge.

        Args:
            name: the device's; what the request calls itself does not count.
            request: from `request_for`, as PEM.
            now: when it is made.

        Raises:
            InputError: no name, or no request whose asker has the key.
        """
        builder = (
            _dated(_common_name(check_name(name)), now, DEVICE_LIFETIME)
            .public_key(_read_request(request).public_key())
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        )
        return self._signed(builder)

    def _signed(self, builder: x509.CertificateBuilder) -> bytes:
        signing, own = _read_key(self.key), x509.load_pem_x509_certificate(self.certificate)
        builder = (
            builder.issuer_name(own.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
        )
        return _pem(builder.sign(signing, hashes.SHA256()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """Who shows a certificate.

    Attributes:
        name: the device's.
        serial: the certificate's, as hexadecimal text; it is told from an earlier one of the same name by it.
        made_at: from when it is good (the time at which it was made, less two days).
        ends_at: until when it is good.
    """

    name: str
    serial: str
    made_at: datetime
    ends_at: datetime

    @property
    def renew_at(self) -> datetime:
        """When it is time for a new certificate."""
        return self.ends_at - (self.ends_at - self.made_at) * _RENEWED


# A caller shows the same certificate in every call, and reading it takes 0.1 ms.
@functools.lru_cache(1024)
def bearer_of(certificate: bytes) -> Bearer:
    """Reads a certificate, as PEM; whether it is any good, TLS has checked.

    Raises:
        InputError: it is no certificate by a name.
    """
    read = _read_certificate(certificate)
    try:  # only here is it seen whether they are well formed
        names = read.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        made_at, ends_at = read.not_valid_before_utc, read.not_valid_after_utc
    except ValueError:
        raise _NO_CERTIFICATE from None
    if len(names) != 1:
        raise InputError(f"found a certificate with {len(names)} names, expected one; join the edge for a certificate")
    return Bearer(
        name=str(names[0].value),
        serial=f"{read.serial_number:x}",
        made_at=made_at,
        ends_at=ends_at,
    )


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate, as 64 hexadecimal signs: nobody can make another one that has it.

    Raises:
        InputError: it is no certificate.
    """
    return _read_certificate(certificate).fingerprint(hashes.SHA256()).hex()


def check_pair(certificate: bytes, key: bytes) -> None:
    """Checks that a certificate and a private key belong together; both may be made by somebody else's tools.

    Raises:
        InputError: what is wrong with either, or that they do not.
    """
    try:
        private = serialization.load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _NO_KEY from None
    if _read_certificate(certificate).public_key() != private.public_key():
        raise InputError("the certificate and the key do not belong together; name the two that were made together")


def _read_certificate(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except (ValueError, x509.InvalidVersion):
        raise _NO_CERTIFICATE from None


def _read_request(pem: bytes) -> x509.CertificateSigningRequest:
    try:
        request = x509.load_pem_x509_csr(pem)
        is_p256 = isinstance(key := request.public_key(), ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
        is_signed = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise InputError("found no request for a certificate; expected PKCS #10 as PEM") from None
    if not (is_p256 and is_signed):
        raise InputError("the request for a certificate is not signed by a key on P-256; join with this version")
    return request


def _read_key(pem: bytes) -> _Key:
    """A key that was made here."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _NO_KEY from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InputError("found a private key of another kind; expected one on an elliptic curve")
    return key


def _dated(subject: x509.Name, now: datetime, lifetime: timedelta) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - _BACKDATED).not_valid_after(now + lifetime)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.partition("%")[0]))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: _Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
