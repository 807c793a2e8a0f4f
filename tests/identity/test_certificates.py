"""Certificates, judged by the verifier of `cryptography`, which knows nothing of how they were made."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from edgent.errors import InputError
from edgent.identity.certificates import (
    DEVICE_LIFETIME,
    EDGE_LIFETIME,
    Authority,
    bearer_of,
    check_name,
    check_pair,
    fingerprint,
    new_key,
    request_for,
)
from edgent.identity.credentials import EDGE_NAME

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(NOW)


def is_good_edge(authority: Authority, chain: bytes, name: str = EDGE_NAME, at: datetime = NOW) -> bool:
    leaf, *_ = x509.load_pem_x509_certificates(chain)
    store = Store(x509.load_pem_x509_certificates(authority.certificate))
    verifier = PolicyBuilder().store(store).time(at).build_server_verifier(x509.DNSName(name))
    try:
        verifier.verify(leaf, [])
    except VerificationError:
        return False
    return True


def connects(authority: Authority, certificate: bytes, at: datetime = NOW) -> bool:
    """Whether TLS lets a device in with it: signed by the authority, in time, and for clients."""
    read, own = x509.load_pem_x509_certificate(certificate), x509.load_pem_x509_certificate(authority.certificate)
    read.verify_directly_issued_by(own)
    usage = read.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    in_time = read.not_valid_before_utc <= at <= read.not_valid_after_utc
    return in_time and list(usage) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]


def device(authority: Authority, name: str = "porch", now: datetime = NOW) -> tuple[bytes, bytes]:
    key = new_key()
    return authority.device_certificate(name, request_for(name, key), now), key


def test_an_edge_is_good_by_the_name_of_edges_and_by_those_that_it_was_given(authority: Authority) -> None:
    chain = authority.edge_certificate(new_key(), ["edge.local", "192.0.2.7"], NOW)
    assert is_good_edge(authority, chain)
    assert is_good_edge(authority, chain, "edge.local")
    assert not is_good_edge(authority, chain, "other.local")
    alternatives = x509.load_pem_x509_certificate(chain).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert [str(a) for a in alternatives.value.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]


def test_a_certificate_of_another_authority_is_none(authority: Authority) -> None:
    other = Authority.create(NOW)
    assert not is_good_edge(authority, other.edge_certificate(new_key(), [], NOW))
    assert other.fingerprint != authority.fingerprint


def test_a_device_cannot_pass_for_an_edge(authority: Authority) -> None:
    certificate, _ = device(authority, "edge.edgent")
    assert connects(authority, certificate)
    assert not is_good_edge(authority, certificate)


def test_a_device_gets_the_name_that_the_edge_gives_whatever_its_request_says(authority: Authority) -> None:
    certificate = authority.device_certificate("porch", request_for("door", new_key()), NOW)
    assert bearer_of(certificate).name == "porch"


@pytest.mark.parametrize("off", [-DAY, DAY, 2 * DAY - timedelta(seconds=1)])
def test_a_clock_that_is_off_by_a_day_does_not_spoil_a_new_certificate(authority: Authority, off: timedelta) -> None:
    assert is_good_edge(authority, authority.edge_certificate(new_key(), [], NOW), at=NOW - off)
    assert connects(authority, device(authority)[0], at=NOW - off)


def test_certificates_end(authority: Authority) -> None:
    edge, (own, _) = authority.edge_certificate(new_key(), [], NOW), device(authority)
    assert is_good_edge(authority, edge, at=NOW + EDGE_LIFETIME - DAY)
    assert not is_good_edge(authority, edge, at=NOW + EDGE_LIFETIME + DAY)
    assert connects(authority, own, at=NOW + DEVICE_LIFETIME - DAY)
    assert not connects(authority, own, at=NOW + DEVICE_LIFETIME + DAY)


def test_a_certificate_is_renewed_a_month_before_it_ends(authority: Authority) -> None:
    bearer = bearer_of(device(authority)[0])
    left = NOW + DEVICE_LIFETIME - bearer.renew_at
    assert 28 * DAY < left < 32 * DAY
    assert bearer.ends_at == NOW + DEVICE_LIFETIME


def test_two_certificates_of_one_name_are_told_apart(authority: Authority) -> None:
    first, second = (bearer_of(device(authority)[0]) for _ in range(2))
    assert first.name == second.name
    assert first.serial != second.serial


def test_a_fingerprint_is_that_of_openssl(authority: Authority) -> None:
    der = x509.load_pem_x509_certificate(authority.certificate).public_bytes(serialization.Encoding.DER)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    assert fingerprint(authority.certificate) == digest.finalize().hex() == authority.fingerprint


@pytest.mark.parametrize("name", ["porch", "a", "board-7", "pi.cellar_2", "x" * 63])
def test_names_that_can_stand_anywhere_are_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "Porch", "a b", "../x", "-a", "a-", ".a", "é", "a\n", "x" * 64, "a/b", "\x1b[31m"]
)
def test_other_names_are_refused_in_one_short_line(name: str) -> None:
    with pytest.raises(InputError) as refused:
        check_name(name)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


def test_a_name_is_checked_where_a_certificate_is_made(authority: Authority) -> None:
    with pytest.raises(InputError, match="device name"):
        authority.device_certificate("../x", request_for("x", new_key()), NOW)


def foreign_request(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def test_requests_with_other_kinds_of_keys_are_refused(authority: Authority) -> None:
    for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())):
        with pytest.raises(InputError, match="P-256"):
            authority.device_certificate("porch", foreign_request(key), NOW)


def test_a_request_whose_asker_lacks_the_key_is_refused(authority: Authority) -> None:
    pem = request_for("porch", new_key())
    request = x509.load_pem_x509_csr(pem)
    der = bytearray(request.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1  # the last byte of the signature
    broken = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(InputError):
        authority.device_certificate("porch", broken, NOW)


def swapped(pem: bytes, kind: str, old: bytes, new: bytes) -> bytes:
    """The same with some bytes of its inside exchanged."""
    inside = base64.b64decode(b"".join(pem.split(b"\n")[1:-2]))
    assert old in inside and len(old) == len(new)
    text = base64.encodebytes(inside.replace(old, new, 1)).decode()
    return f"-----BEGIN {kind}-----\n{text}-----END {kind}-----\n".encode()


P256 = bytes.fromhex("06082a8648ce3d030107")
EC_KEY = bytes.fromhex("06072a8648ce3d0201")
FIRST_VERSION = bytes.fromhex("020100")  # of a request, which has no other


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (P256, P256[:-1] + b"\x63"),  # a curve that nobody has heard of
        (EC_KEY, EC_KEY[:-1] + b"\x63"),  # a kind of key likewise
        (FIRST_VERSION, b"\x02\x01\x07"),
    ],
)
def test_requests_of_kinds_that_nobody_knows_are_refused_in_one_line(
    authority: Authority, old: bytes, new: bytes
) -> None:
    with pytest.raises(InputError, match=r"^found no request for a certificate"):
        authority.device_certificate(
            "porch", swapped(request_for("porch", new_key()), "CERTIFICATE REQUEST", old, new), NOW
        )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\x0c\x05porch", b"\x0c\x05p\xffrch"),  # a name that is no text
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09"),  # a version of certificates that is none
    ],
)
def test_certificates_whose_inside_is_damaged_are_none(authority: Authority, old: bytes, new: bytes) -> None:
    whole = authority.device_certificate("porch", request_for("porch", new_key()), NOW)
    with pytest.raises(InputError, match=r"^found no certificate; expected one as PEM"):
        bearer_of(swapped(whole, "CERTIFICATE", old, new))


@pytest.mark.parametrize("pem", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_pem_is_told_so(authority: Authority, pem: bytes) -> None:
    with pytest.raises(InputError, match="found no certificate"):
        bearer_of(pem)
    with pytest.raises(InputError, match="found no certificate"):
        fingerprint(pem)
    with pytest.raises(InputError, match="found no request"):
        authority.device_certificate("porch", pem, NOW)
    with pytest.raises(InputError, match="found no private key"):
        request_for("porch", pem)


def test_a_pair_is_told_from_two_that_are_none(authority: Authority) -> None:
    certificate, key = device(authority)
    check_pair(certificate, key)
    with pytest.raises(InputError, match="do not belong together"):
        check_pair(certificate, new_key())
    with pytest.raises(InputError, match="found no private key"):
        check_pair(certificate, certificate)
    with pytest.raises(InputError, match="found no certificate"):
        check_pair(key, key)
