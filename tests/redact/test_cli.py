"""The command: pseudonyms on standard output, the mapping in a file that is the owner's alone."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from iptviz.cli.app import app
from iptviz.redact.secrets import Secrets

pytestmark = pytest.mark.usefixtures("known_keys")
DUMP = "fixtures/policies-today/dump.rules"
OTHER = "fixtures/policies-old/dump.rules"
LISTING = "tests/nft/listings/every-1.36.listing"


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.stdout, done.stderr


def test_it_prints_a_dump_in_pseudonyms() -> None:
    status, text, message = run("redact", DUMP)
    assert (status, message) == (0, "")
    assert "-A KUBE-SERVICES -d " in text
    assert "default/shop" not in text
    assert "203.0.113" not in text


def test_with_one_map_two_dumps_stay_comparable(tmp_path: Path) -> None:
    mapping = tmp_path / "secret.json"
    first = run("redact", DUMP, "--map", str(mapping))[1]
    assert stat.S_IMODE(mapping.stat().st_mode) == 0o600
    second = run("redact", OTHER, "--map", str(mapping))[1]
    again = run("redact", DUMP, "--map", str(mapping))[1]
    assert again == first
    names = [
        set(re.findall(r'--comment "([\w-]+/[\w-]+:p-\w+) cluster IP"', text)) for text in (first, second)
    ]
    assert len(names[0]) >= 5
    assert names[0] == names[1]
    kept = json.loads(mapping.read_text())
    assert kept["names"]["service"]["shop"] in first
    assert kept["addresses"]["203.0.113.10"] in first
    assert f" {kept['addresses']['198.51.100.0/24']} " in first
    assert run("redact", DUMP)[1] != first


KEPT = {"schema": "iptviz.redaction.v1", "key": "00" * 32, "names": {}, "ordered": [], "addresses": {}}
CHANGES: list[dict[str, object]] = [
    {"key": "zz"},
    {"key": ""},
    {"schema": "iptviz.redaction.v2"},
    {"names": {"hash": {"X2P42VLQEZCHLPKZ": 5}}},
    {"names": {"service": {"httpd-service": {}}}},
    {"ordered": [["10.0.0.1"]]},
    {"addresses": None},
]
NO_MAPS = ["", "{}", "[]", "\0", "[" * 200_000, *(json.dumps(KEPT | change) for change in CHANGES)]


@pytest.mark.parametrize("text", NO_MAPS, ids=lambda text: text[:20] + text[-80:-10])
def test_a_file_that_is_no_map_is_said_and_left_alone(tmp_path: Path, text: str) -> None:
    mapping = tmp_path / "notes.txt"
    mapping.write_text(text)
    status, output, message = run("redact", DUMP, "--map", str(mapping))
    assert (status, output) == (2, "")
    assert "not a map of pseudonyms" in message
    assert mapping.read_text() == text


def test_a_map_that_cannot_be_written_stops_before_anything_is_told(tmp_path: Path) -> None:
    status, output, message = run("redact", DUMP, "--map", str(tmp_path / "missing" / "secret.json"))
    assert (status, output) == (2, "")
    assert "cannot be written" in message


def test_a_map_extended_keeps_what_it_had(tmp_path: Path) -> None:
    mapping = tmp_path / "secret.json"
    mapping.write_text(json.dumps(KEPT))
    mapping.chmod(0o666)
    run("redact", DUMP, "--map", str(mapping))
    first = json.loads(mapping.read_text())
    run("redact", "fixtures/httpd-today/dump.rules", "--map", str(mapping))
    second = json.loads(mapping.read_text())
    assert stat.S_IMODE(mapping.stat().st_mode) == 0o600
    assert first["key"] == second["key"] == KEPT["key"]
    assert first["addresses"].items() < second["addresses"].items()
    assert first["names"]["service"].items() < second["names"]["service"].items()
    assert [one.name for one in tmp_path.iterdir()] == ["secret.json"]


@pytest.mark.parametrize("command", ["redact", "services", "sources"])
@pytest.mark.parametrize(("mode", "said"), [(0o644, True), (0o640, True), (0o600, False), (0o400, False)])
def test_a_map_that_others_could_read_is_closed_and_that_is_said(
    tmp_path: Path, command: str, mode: int, said: bool
) -> None:
    mapping = tmp_path / "secret.json"
    for quiet in ((), ("-q",)):
        mapping.write_text(json.dumps(KEPT))
        mapping.chmod(mode)
        status, _, message = run(command, DUMP, "--map", str(mapping), *quiet)
        assert (status, stat.S_IMODE(mapping.stat().st_mode)) == (0, 0o600)
        warning = f"WARNING {mapping}: mode {mode:04o} let others read the key, now 0600; who read it can undo the redaction\n"
        assert message == (warning if said and not quiet else "")
        mapping.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_map_stays_its_owners(tmp_path: Path) -> None:
    mapping = tmp_path / "secret.json"
    mapping.write_text(json.dumps(KEPT))
    os.chown(mapping, 65534, 65534)
    assert run("redact", DUMP, "--map", str(mapping))[0] == 0
    assert (mapping.stat().st_uid, stat.S_IMODE(mapping.stat().st_mode)) == (65534, 0o600)


def test_the_key_of_a_map_without_names_stays(tmp_path: Path) -> None:
    mapping = tmp_path / "secret.json"
    mapping.write_text(json.dumps(KEPT | {"key": "00" * 31 + "01"}))
    key = int(json.loads(mapping.read_text())["key"], 16)
    rules = f"*filter\n-A INPUT -s 10.0.0.1/32 -j DROP\n-A INPUT -s {_pseudonym(key, '10.0.0.1')}/32 -j ACCEPT\nCOMMIT\n"
    (tmp_path / "dump.rules").write_text(rules)
    text = run("redact", str(tmp_path / "dump.rules"), "--map", str(mapping))[1]
    assert f"-s {_pseudonym(key, '10.0.0.1')}/32 -j DROP" in text
    assert int(json.loads(mapping.read_text())["key"], 16) == key


def test_a_range_that_moves_an_address_of_an_earlier_dump_is_said(tmp_path: Path) -> None:
    mapping = tmp_path / "secret.json"
    rule = "*filter\n-A INPUT -s 10.0.0.5/32 -j DROP\n{}COMMIT\n"
    ranged = "-A INPUT -m iprange --src-range 10.0.0.1-10.0.0.9 -j DROP\n"
    for name, text in (("one", rule.format("")), ("two", rule.format(ranged))):
        (tmp_path / name).write_text(text)
    asked = ("--map", str(mapping))
    assert "pseudonym" not in run("redact", str(tmp_path / "one"), *asked)[2]
    before = mapping.read_text()
    message = run("redact", str(tmp_path / "two"), *asked)[2]
    assert "1 address has another pseudonym than in an earlier dump" in message
    assert "10.0.0.5" not in message
    mapping.write_text(before)
    assert "pseudonym" not in run("redact", str(tmp_path / "two"), *asked, "-q")[2]


@pytest.mark.parametrize("command", [("redact", DUMP), ("services", DUMP), ("trace", "default/shop", DUMP)])
def test_a_map_has_a_file_of_its_own(tmp_path: Path, command: tuple[str, ...]) -> None:
    mapping = tmp_path / "secret.json"
    mapping.write_text(json.dumps(KEPT))
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    wrong = {
        (
            "--map",
            str(mapping),
            "-o",
            str(tmp_path / "folder" / ".." / "secret.json"),
        ): "--map and -o name the same file",
        ("--map", "-"): "--map needs a file name",
        ("--map", ""): "--map needs a file name",
        ("--map", str(tmp_path / "folder")): "is a directory",
        ("--map", str(tmp_path / "pipe")): "a device or a pipe",
    }
    for options, said in wrong.items():
        status, output, message = run(*command, *options)
        assert (status, output) == (2, "")
        assert said in message
        assert "internal error" not in message
    assert mapping.read_text() == json.dumps(KEPT)


def test_a_map_behind_a_link_is_written_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to(tmp_path / "secret.json")
    assert run("redact", DUMP, "--map", str(tmp_path / "link.json"))[0] == 0
    assert (tmp_path / "link.json").is_symlink()
    assert stat.S_IMODE((tmp_path / "secret.json").stat().st_mode) == 0o600


def test_a_map_that_cannot_be_replaced_leaves_no_copy_of_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    status, output, message = run("redact", DUMP, "--map", str(tmp_path / "secret.json"))
    assert (status, output, "no space left" in message) == (2, "", True)
    assert list(tmp_path.iterdir()) == []


def test_a_dump_is_not_replaced_by_its_own_pseudonyms(tmp_path: Path) -> None:
    dump = tmp_path / "dump.rules"
    with open(DUMP, encoding="utf-8") as file:  # noqa: PTH123
        original = file.read()
    dump.write_text(original)
    status, output, message = run("redact", str(dump), "-o", str(dump))
    assert (status, output, dump.read_text() == original) == (2, "", True)
    assert f"-o {dump} would overwrite the input {dump}; use another file" in message


def test_lines_are_those_of_the_original() -> None:
    lines = run("redact", DUMP)[1].splitlines()
    with open(DUMP, encoding="utf-8") as file:  # noqa: PTH123
        original = file.read().splitlines()
    for number, line in enumerate(original):
        if line.startswith(("-A ", "*", ":", "COMMIT")):
            assert lines[number].split(" ")[0] == line.split(" ")[0] or line.startswith(":")


# --- every answer in pseudonyms ----------------------------------------------------------------------------------

ANSWERS = [
    ("trace", "203.0.113.10", DUMP),
    ("trace", "default/shop", DUMP),
    ("trace", "KUBE-SVC-BILYYKAKWI7RYELB", DUMP, "-f", "dot"),
    ("trace", ":30080", DUMP, "-f", "mermaid"),
    ("trace", "10.244.0.7:8080", DUMP, "--json"),
    ("services", DUMP),
    ("services", DUMP, "-n", "default"),
    ("services", DUMP, "--endpoint", "10.244.0.7:8080", "--json"),
    ("graph", DUMP),
    ("graph", DUMP, "--around", "KUBE-EXT-BILYYKAKWI7RYELB"),
    ("graph", DUMP, "--focus", "default/shop", "--all"),
    ("packet", DUMP, "--src", "203.0.113.77", "--dst", "203.0.113.10", "--protocol", "tcp", "--dport", "80", "--mark", "0",
     "--in", "eth0", "--local-ip", "192.168.1.10"),
]  # fmt: skip
SECRET = re.compile(
    r"203\.0\.113|10\.244\.|10\.97\.|192\.168\.1\.10|shop|(?<!kernel's )default|BILYYKAKWI7RYELB|policies-today"
)


@pytest.mark.parametrize("arguments", ANSWERS, ids=lambda arguments: " ".join(arguments)[:60])
def test_an_answer_in_pseudonyms_is_as_long_as_the_plain_one_and_tells_nothing(
    arguments: tuple[str, ...],
) -> None:
    status, plain, _ = run(*arguments)
    assert (status, bool(SECRET.search(plain))) == (0, True)
    status, text, message = run(*arguments, "--redact")
    assert (status, message) == (0, "")
    assert not SECRET.search(text), SECRET.search(text)
    assert len(text.splitlines()) == len(plain.splitlines())


def test_a_map_alone_asks_for_pseudonyms_those_of_redact(tmp_path: Path) -> None:
    mapping = str(tmp_path / "secret.json")
    public = tmp_path / "public.rules"
    run("redact", DUMP, "--map", mapping, "-o", str(public))
    mine = run("trace", "203.0.113.10", DUMP, "--map", mapping)[1]
    address = json.loads((tmp_path / "secret.json").read_text())["addresses"]["203.0.113.10"]
    theirs = run("trace", address, str(public))[1]
    mine, theirs = (
        re.sub(r"^.* · iptables-nft-save ", "", text, flags=re.MULTILINE) for text in (mine, theirs)
    )
    assert mine == theirs


def test_a_random_key_that_makes_one_address_of_the_dump_from_another_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mistaken = _pseudonym(0, "10.0.0.1")
    rules = f"*filter\n-A INPUT -s 10.0.0.1/32 -j DROP\n-A INPUT -s {mistaken}/32 -j ACCEPT\nCOMMIT\n"
    (tmp_path / "dump.rules").write_text(rules)
    keys = iter([0, 1])
    monkeypatch.setattr("secrets.token_bytes", lambda size: next(keys).to_bytes(size, "big"))
    _, text, _ = run("redact", str(tmp_path / "dump.rules"))
    assert f"-s {_pseudonym(1, '10.0.0.1')}/32 -j DROP" in text


def _pseudonym(key: int, address: str) -> str:
    return Secrets(key.to_bytes(32, "big")).addresses.of(address)


# --- listings of nft -----------------------------------------------------------------------------------------------


def test_it_prints_a_listing_of_nft_in_pseudonyms() -> None:
    for name in (LISTING, LISTING.replace(".listing", ".json")):
        status, text, message = run("redact", name)
        assert (status, message) == (0, "")
        assert "kube-proxy" in text
        assert "shop/" not in text
        assert "10.244.0." not in text


def test_a_dump_and_a_listing_of_one_node_are_one_text(tmp_path: Path) -> None:
    node = tmp_path / "node"
    node.mkdir()
    (node / "dump.rules").write_text(Path(DUMP).read_text())
    (node / "nft.txt").write_text(Path(LISTING).read_text())
    mapping = str(tmp_path / "secret.json")
    dump, listing, both = (run("redact", name, "--map", mapping)[1] for name in (DUMP, LISTING, str(node)))
    assert both == f"{dump}# nft list ruleset\n{listing}"
    again = tmp_path / "again.txt"
    again.write_text(both)
    assert "nft list ruleset" in run("sources", str(again))[1]
    (node / "nft.txt").write_text("table ip filter {\n}\n")  # nothing but what the dump shows
    assert run("redact", str(node), "--map", mapping)[1] == dump


def test_one_map_is_for_dumps_and_listings(tmp_path: Path) -> None:
    mapping = tmp_path / "secret.json"
    run("redact", DUMP, "--map", str(mapping))
    before = json.loads(mapping.read_text())
    text = run("redact", LISTING, "--map", str(mapping))[1]
    kept = json.loads(mapping.read_text())
    assert kept["names"]["service"].items() >= before["names"]["service"].items()
    web = f"ns-{kept['names']['namespace']['shop']}/svc-{kept['names']['service']['web']}/tcp"
    assert f"-{web}/" in text
    assert f" {kept['addresses']['10.244.0.5']} " in text


@pytest.mark.parametrize(
    "asked",
    [
        ("packet", "--src", "198.51.100.7", "--dst", "10.96.20.1:80", "--protocol", "tcp"),
        ("services",),
        ("trace", "shop/web"),
        ("trace", "10.96.20.1:80"),
        ("sources",),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("json_too", [False, True])
def test_answers_of_nftables_mode_are_in_pseudonyms(asked: tuple[str, ...], *, json_too: bool) -> None:
    words = [*asked, LISTING, *(["--json"] if json_too else [])]
    plain, hidden = run(*words), run(*words, "--redact")
    assert plain[0] == hidden[0] == 0, hidden
    for name in ("shop", "web", "10.244.", "10.96.", "198.51.100.", LISTING):
        assert name not in hidden[1]
    assert len(hidden[1].splitlines()) == len(plain[1].splitlines())


def test_a_listing_without_tables_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "nft.txt").write_text("")
    status, text, message = run("redact", str(tmp_path / "nft.txt"))
    assert (status, text) == (2, "")
    assert "nft.txt" in message
