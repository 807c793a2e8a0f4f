"""TLS with names, over real sockets: an edge and a device that know each other, and everybody else outside."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from edgent.device.device import Device
from edgent.device.settings import DeviceSettings
from edgent.edge.edge import Edge
from edgent.engine.onnxruntime import OnnxRuntimeEngine
from edgent.errors import EdgeError, EdgentError, RefusedError
from edgent.identity.certificates import Authority, bearer_of, new_key, request_for
from edgent.identity.credentials import EDGE_NAME, Credentials
from edgent.identity.edge_identity import EdgeIdentity
from edgent.identity.folder import write_private
from edgent.model import Model
from edgent.planning.plan import Configuration
from edgent.wire.errors import BrokenError
from edgent.wire.fetch_model import fetch_model
from edgent.wire.grpc_channel import GrpcChannel
from edgent.wire.messages import PROBE, ProbeRequest
from real_time import until
from shared_fixtures import make_profile

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
MAX = 1 << 22


@pytest.fixture
def identity(tmp_path: Path) -> EdgeIdentity:
    return EdgeIdentity.open(tmp_path / "edge", NOW)


@pytest.fixture
def edge(model: Model, identity: EdgeIdentity) -> Iterator[Edge]:
    with Edge(model, port=0, identity=identity) as edge:
        yield edge


def device(identity: EdgeIdentity, folder: Path, name: str = "porch", at: datetime = NOW) -> Credentials:
    """A device's credentials, made as joining makes them."""
    folder.mkdir()
    key = new_key()
    certificate = identity.authority.device_certificate(name, request_for(name, key), at)
    token = identity.create_token(uses=1, lifetime=DAY, now=NOW)
    identity.register.join(token.secret, bearer_of(certificate), NOW)
    files = {"authority": identity.authority.certificate, "certificate": certificate, "key": key}
    for file, content in files.items():
        write_private(folder / file, content)
    return Credentials(**{file: folder / file for file in files}, peer_name=EDGE_NAME)


def asks(address: str, credentials: Credentials | None, load: int = 10) -> bytes:
    """Asks by a call and by an exchange; both answers must be alike."""
    channel = GrpcChannel(address, max_message=MAX, credentials=credentials)
    message = ProbeRequest(load=bytes(load), load_down=load).SerializeToString()
    try:
        body = channel.call(PROBE, message, 20.0).body
        assert channel.exchange(PROBE, message, 20.0).body == body
        return body
    finally:
        channel.close()


@pytest.mark.parametrize("load", [0, 10, 16_384, 100_000, 1_000_000])
def test_a_device_that_joined_is_answered(edge: Edge, identity: EdgeIdentity, tmp_path: Path, load: int) -> None:
    assert len(asks(edge.address, device(identity, tmp_path / "d"), load)) >= load


def test_an_answer_over_tls_is_that_of_the_undivided_model(
    edge: Edge, model: Model, identity: EdgeIdentity, tmp_path: Path
) -> None:
    tensor = model.inputs[0]
    values = np.random.default_rng(0).random([1, *tensor.shape[1:]], dtype=np.float32)
    exit = model.branches[-1]
    expected = OnnxRuntimeEngine().session(model, [tensor.name], [exit.outputs[0].name]).run({tensor.name: values})
    settings = DeviceSettings(
        deadline=60.0,
        race=False,
        channel=GrpcChannel(
            edge.address, max_message=edge.service.max_message, credentials=device(identity, tmp_path / "d")
        ),
    )
    whole = Configuration(exit=exit.exit, upload_cut=0, download_cut=len(exit.layers))
    with Device(model, settings=settings) as shared:
        assert until(lambda: shared.wait_ready(60.0))
        answer = shared.infer(values, configuration=whole)
    assert answer.record.by == "edge"
    np.testing.assert_allclose(answer.outputs[exit.outputs[0].name], expected[exit.outputs[0].name], rtol=1e-5)


def test_who_shows_nothing_or_speaks_plain_text_is_not_answered(edge: Edge) -> None:
    with pytest.raises(EdgeError):
        asks(edge.address, None)


def test_a_certificate_of_another_authority_opens_nothing(edge: Edge, tmp_path: Path) -> None:
    other = EdgeIdentity.open(tmp_path / "other", NOW)
    with pytest.raises(EdgeError):
        asks(edge.address, device(other, tmp_path / "d"))


def test_a_certificate_that_has_ended_opens_nothing(edge: Edge, identity: EdgeIdentity, tmp_path: Path) -> None:
    with pytest.raises(EdgeError):
        asks(edge.address, device(identity, tmp_path / "d", at=NOW - 200 * DAY))


def test_an_edge_of_another_authority_is_not_believed(model: Model, identity: EdgeIdentity, tmp_path: Path) -> None:
    other = EdgeIdentity.open(tmp_path / "other", NOW)
    with Edge(model, port=0, identity=other) as stranger, pytest.raises(EdgeError):
        asks(stranger.address, device(identity, tmp_path / "d"))


def test_a_device_cannot_stand_in_for_the_edge(model: Model, identity: EdgeIdentity, tmp_path: Path) -> None:
    impostor = device(identity, tmp_path / "d", name="edge.edgent")
    with Edge(model, port=0, credentials=impostor) as pretending, pytest.raises(EdgeError):
        asks(pretending.address, device(identity, tmp_path / "e"))


def test_a_removed_device_is_refused_by_name(edge: Edge, identity: EdgeIdentity, tmp_path: Path) -> None:
    credentials = device(identity, tmp_path / "d")
    identity.register.remove("porch")
    with pytest.raises(RefusedError, match="join again"):
        asks(edge.address, credentials)


def test_certificates_of_one_s_own_work_without_joining(model: Model, identity: EdgeIdentity, tmp_path: Path) -> None:
    shown = identity.credentials(NOW)
    with Edge(model, port=0, credentials=shown) as edge:
        assert asks(edge.address, device(identity, tmp_path / "d"))
        with pytest.raises(EdgeError):
            asks(edge.address, None)


def test_a_device_of_plain_text_and_one_that_is_damaged_end_in_one_line(
    edge: Edge, identity: EdgeIdentity, tmp_path: Path
) -> None:
    credentials = device(identity, tmp_path / "d")
    credentials.certificate.write_bytes(b"nothing")
    with pytest.raises(EdgentError) as failed:
        asks(edge.address, credentials)
    assert "\n" not in str(failed.value)


def test_somebody_who_says_nothing_holds_nobody_up(edge: Edge, identity: EdgeIdentity, tmp_path: Path) -> None:
    host, _, port = edge.address.rpartition(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(50)]
    assert asks(edge.address, device(identity, tmp_path / "d"))
    for stranger in silent:
        stranger.close()


def why(address: str, credentials: Credentials | None) -> str:
    """What a device is told that cannot connect."""
    channel = GrpcChannel(address, max_message=MAX, credentials=credentials)
    try:
        with pytest.raises(BrokenError) as told:
            channel.first_words(20.0)
        return str(told.value)
    finally:
        channel.close()


@pytest.mark.parametrize(
    ("at", "words"),
    [(NOW - 200 * DAY, "it has ended"), (NOW + 20 * DAY, "set both machines' clocks"), (NOW, "was another edge's")],
)
def test_a_device_whose_certificate_is_not_taken_is_told_what_to_do(
    edge: Edge, identity: EdgeIdentity, tmp_path: Path, at: datetime, words: str
) -> None:
    other = EdgeIdentity.open(tmp_path / "other", NOW) if at == NOW else identity
    shown = replace(device(other, tmp_path / "d", at=at), authority=identity.folder / "authority.pem")
    line = why(edge.address, shown)
    assert words in line and "join again with a new token" in line


def test_an_edge_of_another_authority_at_the_old_address_is_told_from_the_one_that_was_joined(
    model: Model, identity: EdgeIdentity, tmp_path: Path
) -> None:
    with Edge(model, port=0, identity=EdgeIdentity.open(tmp_path / "other", NOW)) as other:
        line = why(other.address, device(identity, tmp_path / "d"))
    assert "is not the edge that was joined" in line and "join again" in line


def test_an_edge_that_speaks_plain_text_where_a_device_joined_is_told(
    model: Model, identity: EdgeIdentity, tmp_path: Path
) -> None:
    with Edge(model, port=0) as plain:
        assert "speaks no TLS" in why(plain.address, device(identity, tmp_path / "d"))


def test_a_device_that_asks_in_plain_text_where_tls_is_spoken_is_told_to_join(edge: Edge) -> None:
    line = why(edge.address, None)
    assert line.startswith(f"the edge {edge.address} closed the connection at once: does it speak TLS?")
    assert line.endswith("(edgent join 127.0.0.1:8002)")


def test_so_is_one_that_wants_a_model_from_there(edge: Edge, empty_cache: Path) -> None:
    with pytest.raises(EdgeError, match="does it speak TLS"):
        fetch_model(edge.address, "b-alexnet")


def test_so_is_one_that_has_its_model_and_it_answers_by_itself(
    edge: Edge, model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    with Device(model, edge.address, deadline=60.0, device_profile=make_profile(model)) as alone:
        assert not alone.wait_ready(60.0)
        assert until(lambda: "does it speak TLS" in alone.problem)
        assert sum("does it speak TLS" in line for line in caplog.messages) == 1


def test_a_clock_that_is_off_by_a_day_does_not_matter_and_one_that_is_off_by_a_year_is_told(
    edge: Edge, identity: EdgeIdentity, tmp_path: Path
) -> None:
    # By the clock of the machine on which their certificates were made.
    off = [device(identity, tmp_path / name, name, NOW + days * DAY) for name, days in (("behind", -1), ("ahead", 1))]
    assert all(asks(edge.address, credentials) for credentials in off)
    authority = Authority.create(NOW - 800 * DAY)
    key = new_key()
    files = {
        "authority": authority.certificate,
        "certificate": authority.edge_certificate(key, ["localhost"], NOW - 400 * DAY),
        "key": key,
    }
    for name, content in files.items():
        write_private(tmp_path / name, content)
    with Edge(model_of(edge), port=0, credentials=Credentials(**{name: tmp_path / name for name in files})) as old:
        shown = replace(device(identity, tmp_path / "d"), authority=tmp_path / "authority")
        assert "set both machines' clocks" in why(old.address, shown)


def model_of(edge: Edge) -> Model:
    return edge.models[0]
