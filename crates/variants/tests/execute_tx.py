"""A second encoder of transactions of type 0x05: reads the items of one per line as JSON, prints its bytes.

Integers are numbers, bytes hexadecimal texts, lists lists. It shares no code with the encoder that it checks.
"""

import json
import sys


def head(length, short):
    if length < 56:
        return bytes([short + length])
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([short + 55 + len(size)]) + size


def rlp(item):
    if isinstance(item, list):
        payload = b"".join(map(rlp, item))
        return head(len(payload), 0xC0) + payload
    if isinstance(item, int):
        item = item.to_bytes((item.bit_length() + 7) // 8, "big")
    else:
        item = bytes.fromhex(item)
    if len(item) == 1 and item[0] < 0x80:
        return item
    return head(len(item), 0x80) + item


for line in sys.stdin:
    print((b"\x05" + rlp(json.loads(line))).hex())
