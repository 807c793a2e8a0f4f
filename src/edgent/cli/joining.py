"""`edgent join` on a device; `edgent token` and `edgent devices` on its edge: who may connect."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from edgent.address import machine_name
from edgent.cli.arguments.options import AsJson
from edgent.cli.terminal import show
from edgent.errors import InputError
from edgent.units import parse_duration

token = typer.Typer(no_args_is_help=True, help="On the edge: what lets devices join it.")
devices = typer.Typer(no_args_is_help=True, help="On the edge: the devices that joined it.")

TOKEN = "EDGENT_TOKEN"
"""The variable that a token may stand in: unlike a command's line, other users cannot read it."""

_LONGEST = 1000  # characters of a line that has a token

IdentityFolder = Annotated[
    Path | None, typer.Option("--identity", metavar="DIR", help="The edge's keys and list of devices.")
]
DeviceName = Annotated[str, typer.Argument(metavar="NAME", help="Of a device, as `edgent devices list` has it.")]


def edge_folder(folder: Path | None) -> Path:
    """Where an edge's identity lies, unless it is named."""
    from edgent.identity.folder import data_folder

    return folder or data_folder() / "edge"


def join(
    address: Annotated[str, typer.Argument(metavar="HOST:PORT", help="The edge's port for joining.")],
    token: Annotated[
        str,
        typer.Option(
            "--token",
            metavar="TOKEN",
            envvar=TOKEN,
            show_envvar=False,
            help=f"What the edge printed; -: from stdin. Better in {TOKEN}: what is typed all users of a machine see.",
        ),
    ] = "",
    certificates: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Of one's own, in place of a token, for HOST:PORT where the edge answers."),
    ] = None,
    name: Annotated[str, typer.Option(help="This device's; by default the machine's.")] = "",
    output: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write certificate and key there, for other clients.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Join an edge: from then on it knows this device, and this device knows it."""
    if bool(token) == (certificates is not None):
        raise InputError("name either the --token that the edge printed, or the folder of --certificates of your own")
    if certificates is not None:
        _keep_own(address, certificates, as_json)
        return
    from edgent.identity.join import join as join_edge
    from edgent.identity.token import Token

    text = _token_of_stdin() if token == "-" else token
    joined = join_edge(address, Token.parse(text), name or machine_name(), output)
    if as_json:
        show.document({"name": joined.name, "edge": joined.edge, "ends_at": joined.ends_at})
        return
    show.out.print(f"joined as {joined.name}; the certificate is renewed by itself, next on {_day(joined.renew_at)}")
    if output is None:
        show.out.print(f"try `edgent run MODEL PICTURE --edge {joined.edge} --deadline 100ms`")
    else:
        show.out.print(f"{output}: authority.pem, device.pem and device.key, for {joined.edge}")


def _token_of_stdin() -> str:
    return getpass("token: ") if sys.stdin.isatty() else sys.stdin.readline(_LONGEST)


def _keep_own(edge: str, certificates: Path, as_json: bool) -> None:
    from edgent.identity.joined import keep_own

    keep_own(edge, certificates)
    if as_json:
        show.document({"edge": edge, "certificates": str(certificates)})
    else:
        show.out.print(f"{edge} is shown the certificate of {certificates} from now on; do this again to replace it")


@token.command("create")
def create_token(
    uses: Annotated[int, typer.Option(min=1, max=10_000, help="How many devices may join with it.")] = 1,
    ttl: Annotated[str, typer.Option(metavar="TIME", help="For how long, as 15min, 1h or 7d.")] = "1h",
    identity: IdentityFolder = None,
    as_json: AsJson = False,
) -> None:
    """Make a token, to be handed to devices; it is shown once, and can be read nowhere."""
    from edgent.identity.edge_identity import EdgeIdentity

    lifetime, now = timedelta(seconds=parse_duration(ttl, "--ttl")), datetime.now(UTC)
    created = EdgeIdentity.open(edge_folder(identity), now).create_token(uses=uses, lifetime=lifetime, now=now)
    if as_json:
        show.document({"token": str(created), "uses": uses, "ends_at": (now + lifetime).timestamp()})
    else:
        show.out.print(str(created), soft_wrap=True)


@devices.command("list")
def list_devices(identity: IdentityFolder = None, as_json: AsJson = False) -> None:
    """The devices that joined, and what they may do."""
    from edgent.identity.register import Register

    members = Register(_existing(identity)).members()
    if as_json:
        show.document(
            [
                {
                    "name": member.name,
                    "joined_at": member.joined_at.timestamp(),
                    "ends_at": member.ends_at.timestamp(),
                    "requests_per_second": member.requests_per_second,
                    "may_fetch": member.may_fetch,
                }
                for member in members
            ]
        )
        return
    table = show.table("devices", "name", "joined", "certificate until", "requests/s at most", "fetches models")
    for member in members:
        rate = "-" if member.requests_per_second is None else f"{member.requests_per_second:g}"
        fetches = "yes" if member.may_fetch else "no"
        table.add_row(member.name, f"{member.joined_at:%Y-%m-%d}", f"{member.ends_at:%Y-%m-%d}", rate, fetches)
    show.out.print(table)


@devices.command("limit")
def limit_device(
    name: DeviceName,
    rate: Annotated[float | None, typer.Option(min=0.001, max=1e6, help="Requests a second at most.")] = None,
    fetch: Annotated[bool, typer.Option("--fetch/--no-fetch", help="Whether it may fetch models.")] = True,
    identity: IdentityFolder = None,
) -> None:
    """Set what a device may do; what is not named is allowed again."""
    from edgent.identity.register import Register

    Register(_existing(identity)).limit(name, requests_per_second=rate, may_fetch=fetch)


@devices.command("remove")
def remove_device(name: DeviceName, identity: IdentityFolder = None) -> None:
    """Forget a device: a running edge turns it away within a second."""
    from edgent.identity.register import Register

    Register(_existing(identity)).remove(name)


def _existing(folder: Path | None) -> Path:
    from edgent.identity.edge_identity import REGISTER

    path = edge_folder(folder) / REGISTER
    if not path.exists():
        raise InputError(f"{path}: no edge has been started here; name its folder with --identity")
    return path


def _day(timestamp: float) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d}"
