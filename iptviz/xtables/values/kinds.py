"""The table of kinds of values: how a value of each kind is read, and how iptables-save prints it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from iptviz.records import NamedTuple
from iptviz.xtables.values import addresses, headers, icmp, numbers, payload, protocols, times, words
from iptviz.xtables.words import quote_word, save_string

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.xtables.option import Saving

Value = TypeVar("Value")


class ValueKind(NamedTuple, Generic[Value]):
    """How a value is read and shown.

    Attributes:
        read: the value that iptables makes of a word as it was typed, or None for a word that it would refuse.
        show: the value as iptables-save prints it, quotes included.
    """

    read: Callable[[str, Saving], Value | None]
    show: Callable[[Value], str]

    def print(self, text: str, saving: Saving) -> str:
        """Return the word `text` as iptables-save prints it; what cannot be read stands as it is."""
        value = self.read(text, saving)
        return quote_word(text) if value is None else self.show(value)


def print_value(kind: str, text: str, saving: Saving) -> str:
    """Return `text`, a value of `kind`, as iptables-save prints it."""
    return VALUE_KINDS[kind].print(text, saving)


def _kind(read: Callable[[str], Value | None], show: Callable[[Value], str] = str) -> ValueKind[Value]:
    """Return a kind that is read alike everywhere."""
    return ValueKind(lambda text, _saving: read(text), show)


def _of_family(
    read: Callable[[str, str], Value | None], show: Callable[[Value], str] = str
) -> ValueKind[Value]:
    """Return a kind that iptables and ip6tables read differently."""
    return ValueKind(lambda text, saving: read(text, saving.family), show)


def _of_backend(read: Callable[[str, str], Value | None], show: Callable[[Value], str]) -> ValueKind[Value]:
    """Return a kind that iptables reads differently with its two backends."""
    return ValueKind(lambda text, saving: read(text, saving.backend), show)


def _word(read: Callable[[str], str | None]) -> ValueKind[str]:
    """Return a kind whose value is itself a word, and quoted only where it must be."""
    return _kind(read, quote_word)


def _range_to(last: int) -> ValueKind[numbers.Range]:
    return _kind(partial(numbers.read_open_range, last=last), numbers.show_range)


def _hexadecimal(digits: int) -> ValueKind[int]:
    """Return the kind of a number that is shown with at least `digits` digits."""
    return _kind(numbers.read_uint, lambda number: f"0x{number:0{digits}x}")


def _cut(limit: int, show: Callable[[str], str]) -> ValueKind[str]:
    """Return the kind of a text of which the kernel keeps `limit` bytes."""
    return _kind(partial(words.cut, limit=limit), show)


VALUE_KINDS: dict[str, ValueKind[Any]] = {
    # words and texts
    "word": _word(words.as_it_is),
    "word15": _cut(15, quote_word),
    "word27": _cut(27, quote_word),
    "word31": _cut(31, quote_word),
    "string": _kind(words.as_it_is, save_string),
    "string29": _cut(29, save_string),
    "string31": _cut(31, save_string),
    "nflog-prefix": _of_backend(words.read_nflog_prefix, save_string),
    # libxt_nfacct.c prints one blank before the name and xtables_save_string another
    "nfacct-name": _kind(words.as_it_is, lambda name: " " + save_string(name)),
    "always-quoted": _kind(words.as_it_is, words.show_in_quotes),
    "as-it-is": _kind(words.as_it_is, words.as_it_is),  # what a rewriting has shown already
    "lower": _word(str.lower),
    "upper": _word(str.upper),
    "connection-label": _kind(words.read_label, words.show_label),
    # names
    "address-types": _kind(partial(words.names_begun, words.ADDRESS_TYPES), words.show_names),
    "ct-states": _kind(partial(words.names_begun, words.CT_STATES), words.show_names),
    "ct-statuses": _kind(words.read_ct_statuses, words.show_names),
    "ct-events": _kind(lambda text: words.names_listed(words.CT_EVENTS, text.split(",")), words.show_names),
    "dccp-types": _kind(
        lambda text: words.names_listed(headers.DCCP_TYPES, text.upper().split(",")), words.show_names
    ),
    "hash-mode": _kind(words.read_hash_mode, words.show_hash_mode),
    "log-level": _kind(words.read_log_level),
    "users": _kind(partial(words.read_owners, number_of=words.user_number), numbers.show_dashed_range),
    "groups": _kind(partial(words.read_owners, number_of=words.group_number), numbers.show_dashed_range),
    # numbers
    "uint": _kind(numbers.read_uint),
    "uint8": _kind(numbers.read_uint8),
    "uint16": _kind(numbers.read_uint16),
    "hex": _hexadecimal(1),
    "hex2": _hexadecimal(2),
    "hex4": _hexadecimal(4),
    "hex8": _hexadecimal(8),
    "led-delay": _kind(numbers.read_led_delay),
    "class": _kind(numbers.read_class, numbers.show_class),
    "range16": _range_to((1 << 16) - 1),
    "range32": _range_to((1 << 32) - 1),
    "queue-range": _kind(numbers.read_queue_range, numbers.show_both_ends),
    "connection-count": _kind(numbers.read_count, numbers.show_count),
    "mark": _kind(numbers.read_mark, numbers.show_mark),
    "xmark": _kind(numbers.read_mark, numbers.show_xmark),
    "device-group": _kind(numbers.read_mark, numbers.show_device_group),
    "probability": _kind(numbers.read_probability, numbers.show_probability),
    # protocols and ports
    "protocol": _word(protocols.protocol_name),
    "rule-protocol": _word(protocols.rule_protocol_name),
    "protocol-number": _kind(protocols.protocol_number),
    "tcp-flags": _kind(protocols.read_tcp_flags, protocols.show_tcp_flags),
    "ports": _kind(protocols.read_ports, numbers.show_range),
    "decimal-ports": _kind(protocols.read_decimal_ports, numbers.show_range),
    "port-list": _kind(protocols.read_port_list, protocols.show_port_list),
    "decimal-port": _kind(protocols.read_decimal_port),
    "nat-ports": _kind(protocols.read_nat_ports, protocols.show_without_base),
    # addresses
    "network": _of_family(addresses.read_network, addresses.show_network),
    "networks": _of_family(addresses.read_networks, addresses.show_networks),
    "host": _of_family(addresses.read_host, addresses.show_host),
    "host-or-any": _of_family(addresses.read_host_or_any, addresses.show_host),
    "host-mask": _of_family(addresses.read_host_network, addresses.show_host),
    "host-length": _of_family(addresses.read_host_network, addresses.show_network),
    "ipv6-list": _kind(addresses.read_ipv6_list, addresses.show_hosts),
    "ip-mask": _of_family(addresses.read_address_mask, addresses.show_host),
    "ip-range": _of_family(addresses.read_ip_range, addresses.show_ip_range),
    "mask-length": _of_family(addresses.read_mask_length),
    "nat-range": _of_family(addresses.read_nat_range, addresses.show_destination),
    "source-range": _of_family(addresses.read_nat_range, addresses.show_source),
    # headers
    "icmp-type": _kind(partial(icmp.read_icmp_type, family="ipv4"), icmp.show_icmp_type),
    "icmpv6-type": _kind(partial(icmp.read_icmp_type, family="ipv6"), icmp.show_icmp_type),
    "reject-type": _of_family(icmp.read_reject_type),
    "mac": _kind(headers.read_mac, headers.show_mac),
    "mac-upper": _kind(headers.read_mac, headers.show_mac_upper),
    "packet-type": _kind(headers.read_packet_type),
    "set-tos": _kind(headers.read_tos, headers.show_tos),
    "tcp-options": _kind(headers.read_tcp_options, headers.show_numbers),
    "sctp-chunks": _kind(headers.read_sctp_chunks, headers.show_sctp_chunks),
    "ipv6-headers": _kind(headers.read_ipv6_headers, words.show_names),
    "ipv6-options": _kind(headers.read_ipv6_options, headers.show_ipv6_options),
    "mh-types": _kind(headers.read_mh_types, numbers.show_range),
    # payload
    "bytecode": _kind(payload.read_bytecode, payload.show_bytecode),
    "u32": _kind(payload.read_u32, lambda tests: f'"{tests}"'),
    # times and rates
    "clock": _kind(times.read_clock, times.show_clock),
    "date": _kind(times.read_date),
    "limit-rate": _kind(times.read_limit_rate, times.show_limit_rate),
    "bit-rate": _kind(times.read_bit_rate, times.show_bit_rate),
}
