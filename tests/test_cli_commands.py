"""What commands share: one table of options, and no argument that goes past the pseudonyms."""

from __future__ import annotations

import json
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, get_args

import pytest
import typer
from typer.testing import CliRunner

import iptviz
from iptviz.cli.app import app
from iptviz.cli.command import CliCommand, CommandResult, command, question
from iptviz.cli.commands import COMMANDS
from iptviz.cli.options import After, NodeArgument, Options
from iptviz.cli.packet import packet_command
from iptviz.cli.told import Argument, option
from iptviz.redact.named import NODE_FILES, Named
from iptviz.redact.translate import TRANSLATIONS
from tests.render.questions import WITHOUT_PSEUDONYMS

if TYPE_CHECKING:
    from pathlib import Path

FIXTURE = "fixtures/policies-today/dump.rules"


def clicked(name: str) -> Any:
    """Return a command of the program, as the program itself finds it."""
    return typer.main.get_command(app).get_command(None, name)  # type: ignore[attr-defined]


def made(name: str) -> CliCommand:
    """Return what a command of the program is made from."""
    from importlib import import_module

    module, _, function = COMMANDS[name].partition(":")
    found = getattr(import_module(module), function)
    assert isinstance(found, CliCommand)
    return found


def run(found: CliCommand, *arguments: str) -> tuple[int, str, str]:
    """Return status and both outputs of a command that is made in a test."""
    program = typer.Typer(add_completion=False)
    program.command("asked")(found)
    done = CliRunner().invoke(program, arguments)
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_of_every_argument_of_every_command_is_said_what_it_names(name: str) -> None:
    said = {each.name: each.named for each in made(name).arguments}
    assert {each.name for each in clicked(name).params} == said.keys()
    assert [argument for argument, named in said.items() if named is None] == []


def arguments_with(*kinds: Named) -> list[tuple[str, Argument]]:
    """Return the arguments of all commands that name one of these kinds, with their commands."""
    return [(name, each) for name in COMMANDS for each in made(name).arguments if each.named in kinds]


@pytest.mark.parametrize(("name", "said"), arguments_with(Named.NOTHING))
def test_what_names_nothing_is_a_number_or_a_switch(name: str, said: Argument) -> None:
    hints = get_args(said.hint) or (said.hint,)
    plain = all(hint in {int, bool, type(None)} or issubclass(hint, StrEnum) for hint in hints)
    assert plain, f"{name}: {said.name} takes a text, which may name something: say what with a kind of Named"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a file with the API's objects."""
    file = tmp_path_factory.mktemp("api") / "api.json"
    file.write_text(json.dumps(API))
    return str(file)


@cache  # a command is asked rightly once, however many words it can be asked wrongly with
def status_of(*asked: str) -> int:
    return CliRunner().invoke(app, asked).exit_code


@pytest.mark.parametrize(("name", "said"), arguments_with(Named.WORD))
def test_a_word_is_refused_where_it_is_none_that_is_known(api: str, name: str, said: Argument) -> None:
    asked = {
        "trace": ["10.97.20.1", FIXTURE],
        "verify": [FIXTURE, api],
        "diff": [FIXTURE, FIXTURE],
        "explain": [],
    }.get(name, [FIXTURE])
    asked = [name, *asked, *(["--redact"] if name not in {"redact", *WITHOUT_PSEUDONYMS} else [])]
    assert status_of(*asked) < 2
    param = next(param for param in clicked(name).params if param.name == said.name)
    flag = [] if param.param_type_name == "argument" else [param.opts[-1]]
    done = CliRunner().invoke(app, [*asked, *flag, "secret-word"])
    assert (done.exit_code, done.stdout) == (2, ""), f"{name} {flag} takes any text: it is no Named.WORD"


@pytest.mark.parametrize("name", COMMANDS)
def test_shared_options_are_those_of_the_table(name: str) -> None:
    said = [each.name for each in made(name).arguments if each.name in Options._fields]
    assert {"output", "quiet"} <= set(said)
    assert ("mapping" in said) == (name not in WITHOUT_PSEUDONYMS)
    assert said == [option for option in Options._fields if option in said]


# --- an option that somebody adds ----------------------------------------------------------------------------------

seen: list[str | None] = []


@question("packet", more=[each for each in packet_command.arguments if each.name in {"src", "dst"}])
def careless(
    dump: NodeArgument,
    cgroup: Annotated[str | None, option("--cgroup", metavar="PATH", text="")] = None,
    **fields: Any,
) -> CommandResult:
    """Follow a packet of a control group: nobody has said what --cgroup names."""
    seen.append(cgroup)
    return CommandResult(iptviz.packet(dump, **fields))


ASKED = (FIXTURE, "--src", "203.0.113.77", "--cgroup", "secret/path")


def test_an_option_of_which_nobody_says_what_it_names_is_an_option() -> None:
    seen.clear()
    status, text, message = run(careless, *ASKED)
    assert (status, message, seen) == (0, "", ["secret/path"])
    assert "packet from 203.0.113.77" in text


@pytest.mark.parametrize("how", ["--redact", "--map"])
@pytest.mark.parametrize("asked", [ASKED, ASKED[:1]], ids=["given", "not given"])
def test_such_an_option_is_refused_where_pseudonyms_are_asked_for(
    tmp_path: Path, how: str, asked: tuple[str, ...]
) -> None:
    seen.clear()
    mapping = tmp_path / "secret.json"
    options = ["--redact"] if how == "--redact" else ["--map", str(mapping)]
    status, text, message = run(careless, *asked, *options)
    assert (status, text, seen) == (2, "", [])
    assert "cannot redact cgroup: it may name something in the dump" in message
    assert "secret/path" not in message
    assert not mapping.exists()


def test_a_command_that_asks_nothing_refuses_it_too() -> None:
    @command()
    def bare(options: Options, path: Annotated[str, option("--path", text="")] = "") -> int:
        seen.append(path)
        return int(options.strict)

    seen.clear()
    assert run(bare, "--path", "secret")[0] == 0
    assert run(bare, "--path", "secret", "--redact")[0] == 2
    assert seen == ["secret"]


# --- what becomes of each kind -------------------------------------------------------------------------------------


def test_every_kind_of_name_has_its_translation() -> None:
    assert set(TRANSLATIONS) == set(Named)


API = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "shop"},
    "spec": {"clusterIP": "10.97.20.1", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]},
}  # fmt: skip
SAID: dict[Named, str] = {
    Named.NOTHING: "plain",
    Named.WORD: "tcp",
    Named.WRITTEN: "out.svg",
    Named.TARGET: "default/shop",
    Named.ADDRESS: "203.0.113.10",
    Named.DESTINATION: "default/shop",
    Named.PACKET: "203.0.113.10 default/shop tcp 80",
    Named.INTERFACE: "uplink7",
    Named.NAMESPACE: "default",
    Named.CHAIN: "KUBE-EXT-BILYYKAKWI7RYELB",
    Named.MAC: "00:1b:21:aa:bb:cc",
    Named.NODE: "node-7",
    Named.CONDITION: "input interface is uplink7",
    Named.OLDER_DUMP: FIXTURE,
    Named.CLUSTER: json.dumps(API),
    Named.SERVICES: "default/shop:http\n",
    Named.ADDRESS_FILE: "2: uplink7: <UP>\n    inet 203.0.113.10/24 scope global uplink7\n",
    Named.ROUTE_FILE: "default via 203.0.113.1 dev uplink7\n",
    Named.IPSET_FILE: "create shop hash:net family inet\nadd shop 203.0.113.0/24\n",
    Named.SYSCTL_FILE: "kernel.hostname = shop\nnet.ipv4.conf.uplink7.rp_filter = 1\n",
    Named.CONNTRACK_FILE: "tcp 6 9 ESTABLISHED src=203.0.113.10 dst=203.0.113.11 sport=4000 dport=80 "
    "src=203.0.113.11 dst=203.0.113.10 sport=80 dport=4000 [ASSURED] mark=0 helper=shop use=1\n",
    Named.PODS_FILE: "NAMESPACE  NAME  READY  STATUS  RESTARTS  AGE  IP  NODE\n"
    "shop  uplink7-web  1/1  Running  0  9d  203.0.113.10  node-7\n",
    Named.RECENT_FILE: "src=203.0.113.10 ttl: 64 last_seen: 4295000000 oldest_pkt: 1 4295000000\n",
    Named.BASELINE: "known.json",
}
SECRETS = ("203.0.113.", "default/", "'default'", "shop", "BILYYKAKWI7RYELB", "1b:21", "node-7", "10.97.20.1")
FILES = (Named.CLUSTER, Named.SERVICES, *NODE_FILES)


def receiver(named: Named, got: list[Any]) -> CliCommand:
    """Return a command with an option of one kind, which keeps what it gets."""
    told = Argument(
        "said", list[str] if named is Named.CLUSTER else str | None, option("--said", text=""), None, named
    )

    @question("graph", more=[told])
    def receive(dump: NodeArgument, **said: Any) -> CommandResult:
        got.append(said["said"])
        return CommandResult(iptviz.graph(dump))

    return receive


@pytest.mark.usefixtures("known_keys")
@pytest.mark.parametrize("named", [named for named in Named if named not in {Named.DUMP, Named.DUMPS}])
def test_a_question_sees_each_kind_in_pseudonyms_alone(tmp_path: Path, named: Named) -> None:
    said = SAID[named]
    if named in FILES:
        (tmp_path / "file").write_text(said)
        said = str(tmp_path / "file")
    plain: list[Any] = []
    assert run(receiver(named, plain), FIXTURE, "--said", said)[::2] == (0, "")
    hidden: list[Any] = []
    assert run(receiver(named, hidden), FIXTURE, "--said", said, "--redact")[::2] == (0, "")
    told = bytes(hidden[0].dump).decode() if named is Named.OLDER_DUMP else str(hidden[0])
    assert (hidden == plain) == (named in {Named.NOTHING, Named.WORD, Named.WRITTEN, Named.BASELINE})
    assert [secret for secret in (*SECRETS, "uplink7 is", "dev uplink7") if secret in told] == []


@pytest.mark.usefixtures("known_keys")
def test_of_an_option_that_repeats_each_value_is_translated() -> None:
    got: list[Any] = []

    @question("graph")
    def receive(
        dump: NodeArgument,
        addresses: Annotated[list[str] | None, option("--address", text=""), Named.ADDRESS] = None,
    ) -> CommandResult:
        got.append(addresses)
        return CommandResult(iptviz.graph(dump))

    assert run(receive, FIXTURE, "--address", "203.0.113.10", "--address", "203.0.113.20", "--redact")[0] == 0
    assert len(set(got[0])) == 2
    assert not any("203.0.113" in address for address in got[0])
    assert run(receive, FIXTURE, "--redact")[0] == 0
    assert got[1] is None


def test_the_map_keeps_what_was_asked(tmp_path: Path) -> None:
    mapping = tmp_path / "secret.json"
    done = CliRunner().invoke(app, ["packet", FIXTURE, "--src", "192.0.2.200", "--map", str(mapping)])
    assert done.exit_code == 0
    assert f"packet from {json.loads(mapping.read_text())['addresses']['192.0.2.200']} to" in done.stdout


# --- the order of the help -----------------------------------------------------------------------------------------


def test_own_arguments_come_first_but_for_those_that_come_after_another() -> None:
    @command(without=set(Options._fields) - {"output", "quiet"})
    def ordered(
        options: Options,
        first: Annotated[bool, option("--first", text=""), Named.NOTHING, After("output")] = False,
        second: Annotated[bool, option("--second", text=""), Named.NOTHING, After("output")] = False,
        own: Annotated[bool, option("--own", text=""), Named.NOTHING] = False,
    ) -> int:
        return int(options.quiet or first or second or own)

    assert [each.name for each in ordered.arguments] == ["own", "output", "first", "second", "quiet"]
