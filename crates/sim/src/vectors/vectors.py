#!/usr/bin/env python3
"""Check the vectors in a folder, and test an implementation of EXECUTE with them.

    python3 vectors.py FOLDER                    is every file well-formed?
    python3 vectors.py FOLDER --run COMMAND...   does the command give all expected answers?
    python3 vectors.py FOLDER --only TEXT ...    only the cases with this text in their names

The command runs once per case. The first line of standard input is the calldata in hex, and each further line is a
blob of the transaction: its versioned hash, a space, and its 131,072 bytes. For execute-tx the second line is the
transaction. The environment variables EXECUTE_DIALECT, EXECUTE_FORK, EXECUTE_SCHEDULE and EXECUTE_GAS are set. The
command prints the return data in hex and, optionally, the gas charged; or `failed` if the call fails. Its exit code is
0 in both cases.
"""
import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys

BLOB = 131_072
LENGTHS = {"specs": 43, "blobs": 43, "drake": 32, "nested": 43, "draft-8079": 51, "execute-tx": 43}
# Dialects whose answer continues with the headers of the blocks, and dialects whose calls may have blobs.
WITH_HEADERS, WITH_BLOBS = ("headers", "headers-blobs"), ("blobs", "headers-blobs")
FIELDS = {
    "name": str, "dialect": str, "fork": str, "schedule": str, "gas": int, "input": str, "blobs": list,
    "answer": (str, type(None)), "gasCharged": int, "reason": (str, type(None)), "neighbour": (str, type(None)),
}  # fmt: skip
# Fixed layout of the precompile 0x12: the fields before the witness, and those between the withdrawals and the data.
HEAD, TARGET = struct.Struct("<32s32sQHH20sQQQ"), struct.Struct("<20s32sI")


def unhex(text):
    """Decode lower-case hex with the prefix 0x."""
    assert text.startswith("0x") and text == text.lower(), "hex must start with 0x and be lower-case"
    return bytes.fromhex(text[2:])


def check_case(case, accepted):
    """Check a case as far as possible without an implementation of EXECUTE."""
    transaction = case.get("transaction")
    assert (transaction is not None) == (case["dialect"] == "execute-tx"), "only execute-tx has a transaction"
    assert transaction is None or unhex(transaction)[0] == 5, "the transaction must be of type 5"
    assert case.keys() - {"transaction"} == FIELDS.keys(), f"fields {sorted(case)}, expected {sorted(FIELDS)}"
    for field, kind in FIELDS.items():
        assert isinstance(case[field], kind), f"{field}: {type(case[field]).__name__}"
    dialect, answer, reason = case["dialect"], case["answer"], case["reason"]
    calldata = unhex(case["input"])
    assert 0 <= case["gasCharged"] <= case["gas"] < 2**64, "gasCharged must be at most gas"
    assert case["name"].startswith(dialect + ": "), "the name must start with the dialect"
    assert (reason is None) == (case["neighbour"] is None), "only rejected cases have a neighbour"
    assert reason is None or case["neighbour"] in accepted, "the neighbour must be an accepted case"
    for blob in case["blobs"]:
        assert blob.keys() == {"versionedHash", "data"}
        assert len(unhex(blob["versionedHash"])) == 32 and blob["versionedHash"].startswith("0x01")
        assert len(unhex(blob["data"])) <= BLOB and not blob["data"].endswith("00"), "trailing zeros must be omitted"
    assert not case["blobs"] or dialect in WITH_BLOBS, f"only {WITH_BLOBS} may have blobs"
    if answer is None:
        assert reason is not None, "a failed call must have a reason"
        assert case["gasCharged"] == case["gas"], "a failed call must use all its gas"
        return
    answer = unhex(answer)
    if dialect in WITH_HEADERS:
        answer, headers = answer[:43], split_headers(answer[43:])
        is_batch = calldata[1] == 0xBA
        expected = int.from_bytes(calldata[18:22], "little") // 4 if is_batch else 1
        assert len(headers) == expected, f"{len(headers)} headers, expected {expected}"
    length = LENGTHS.get(dialect, 43)
    assert len(answer) == length, f"{len(answer)} bytes of answer"
    if dialect == "drake":
        assert int.from_bytes(answer, "big") == (reason is None), "the answer must be 1 if the claim is true, else 0"
        return
    assert reason is None, "a rejected input must have no answer"
    assert answer[32] == 1, "the flag of the result must be 1"
    assert answer[33:41] == calldata[10:18], "result and input must have the same chain id"
    assert answer[41:43] == calldata[1::-1], "result and input must have the same schema id"
    if dialect == "draft-8079":
        request = 40 if calldata[0] == 0x10 else 44
        place = 50 + request + (540 if calldata[0] == 0x15 else 528)
        assert answer[43:] == calldata[place : place + 8], "answer and payload must have the same burned fees"


def split_headers(rest):
    """Split the headers of an answer: for each a length of four big-endian bytes, and an RLP list."""
    headers = []
    while rest:
        end = 4 + int.from_bytes(rest[:4], "big")
        header = rest[4:end]
        assert len(header) == end - 4 and header[:1] == b"\xf9", "a header must be a long list"
        assert int.from_bytes(header[1:3], "big") == len(header) - 3, "the list must be all of the header"
        headers.append(header)
        rest = rest[end:]
    return headers


def decode_layout(calldata):
    """Decode calldata in the fixed layout of the precompile 0x12."""
    chain_id, root, gas, witness, withdrawals, coinbase, number, price, time = HEAD.unpack_from(calldata)
    target = HEAD.size + witness + withdrawals
    to, value, length = TARGET.unpack_from(calldata, target)
    if len(calldata) != target + TARGET.size + length:
        raise struct.error(f"{len(calldata)} bytes, expected {target + TARGET.size + length}")
    hexed = {
        "preStateRoot": root, "coinbase": coinbase, "to": to, "data": calldata[target + TARGET.size :],
        "witness": calldata[HEAD.size :][:witness], "withdrawals": calldata[HEAD.size + witness : target],
    }  # fmt: skip
    words = {"chainId": hex(int.from_bytes(chain_id, "big")), "value": hex(int.from_bytes(value, "big"))}
    numbers = {"gasLimit": gas, "blockNumber": number, "gasPrice": price, "timestamp": time}
    return {field: "0x" + bytes_.hex() for field, bytes_ in hexed.items()} | words | numbers


def check_layout(case, accepted):
    """Compare a case of the fixed layout with the decoder above."""
    assert case.keys() == {"name", "calldata", "fields", "neighbour"}
    assert (case["fields"] is None) == (case["neighbour"] in accepted), "only rejected cases have an accepted neighbour"
    try:
        fields = decode_layout(unhex(case["calldata"]))
    except struct.error:
        fields = None
    assert fields == case["fields"], f"got {fields}, expected {case['fields']}"


def run_case(case, command):
    """Run an implementation on a case. Return a description of the difference, or None."""
    blobs = (f"{it['versionedHash']} {it['data'].ljust(2 + 2 * BLOB, '0')}" for it in case["blobs"])
    environment = {f"EXECUTE_{it.upper()}": str(case[it]) for it in ("dialect", "fork", "schedule", "gas")}
    transaction = [case["transaction"]] if "transaction" in case else []
    stdin = "\n".join([case["input"], *transaction, *blobs]) + "\n"
    ran = subprocess.run(command, input=stdin, text=True, capture_output=True, env=os.environ | environment)
    words = ran.stdout.split()
    if ran.returncode != 0 or not words:
        return f"the command exited with {ran.returncode}: {ran.stderr.strip()}"
    got = None if words[0] == "failed" else words[0]
    if got != case["answer"]:
        return f"got {got}, expected {case['answer']} ({case['reason'] or 'valid'})"
    if got and len(words) > 1 and int(words[1]) != case["gasCharged"]:
        return f"got {words[1]} gas, expected {case['gasCharged']}"
    return None


def main():
    """Read the arguments, check all files, run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--run", nargs=argparse.REMAINDER, metavar="COMMAND")
    arguments = parser.parse_args()
    cases, layouts, wrong = [], [], []
    for path in sorted(arguments.folder.glob("*.json")):
        file = json.loads(path.read_text())
        assert file["format"] == 1, f"{path.name}: format {file['format']}, expected 1"
        cases += file.get("cases", [])
        layouts += file.get("layouts", [])
    both = [(check_case, case) for case in cases] + [(check_layout, case) for case in layouts]
    accepted = {case["name"] for _, case in both if case["neighbour"] is None}
    if not cases or len({case["name"] for _, case in both}) != len(both):
        sys.exit(f"{len(cases)} calls, expected at least one, with unique names")
    for check, case in both:
        try:
            check(case, accepted)
        except (AssertionError, KeyError, ValueError) as error:
            wrong.append(f"{case['name']}: malformed: {error!r}")
    print(f"{len(both)} cases, {len(accepted)} of them accepted, {len(wrong)} malformed")
    if arguments.run and not wrong:
        chosen = [case for case in cases if arguments.only in case["name"]]
        found = [(case["name"], run_case(case, arguments.run)) for case in chosen]
        wrong = [f"{name}: {how}" for name, how in found if how]
        print(f"{len(chosen)} cases run, {len(wrong)} differ")
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
