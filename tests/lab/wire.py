"""Just enough protobuf to speak for an agent: some fields of a Report, and a Reply as a dictionary.

The numbers are those of proto/huddle.proto; what is not named here is not needed by any test.
"""

from __future__ import annotations

import struct

REPORT = {"node": 1, "boot_id": 2, "epoch": 3, "sequence": 4, "sent_wall_ms": 5, "boot_ms": 6}
REPORT |= {"interval_ms": 8, "energy_measured_uj": 10, "inventory": 18, "cluster_id": 23}
INVENTORY = {"cpus": 1, "cpu_milli": 2, "memory_bytes": 3}
REPLY = {1: "epoch", 2: "sequence", 3: "cluster_id", 4: "term", 5: "instance", 6: "generation"}
REPLY |= {7: "desired_present", 8: "replicas", 10: "next_interval_ms", 11: "power"}
REPLY |= {12: "send_inventory", 13: "new_epoch", 14: "fleet_size"}
FIXED64 = {"epoch"}


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _encode(numbers: dict[str, int], values: dict) -> bytes:
    out = b""
    for name, value in values.items():
        if name == "inventory":
            value = _encode(INVENTORY, value)
        if isinstance(value, (str, bytes)):
            text = value.encode() if isinstance(value, str) else value
            out += _varint(numbers[name] << 3 | 2) + _varint(len(text)) + text
        elif name in FIXED64:
            out += _varint(numbers[name] << 3 | 1) + struct.pack("<Q", value)
        else:
            out += _varint(numbers[name] << 3) + _varint(value)
    return out


def report(**values) -> bytes:
    """An encoded Report, e.g. report(node="a", boot_id="b", epoch=7, sequence=1)."""
    return _encode(REPORT, values)


def reply(data: bytes) -> dict:
    """A Reply; of a field that was sent twice, the last one; messages as bytes, absent is 0."""
    out: dict = {name: 0 for name in REPLY.values()}
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            value: object = varint()
        elif kind == 1:
            value, at = struct.unpack_from("<Q", data, at)[0], at + 8
        elif kind == 2:
            n = varint()
            value, at = data[at : at + n], at + n
        else:
            raise ValueError(f"wire type {kind}")
        if number in REPLY:
            out[REPLY[number]] = value
    return out
