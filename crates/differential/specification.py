"""Verifies blocks with the official specification in Python from their witnesses.

    python specification.py FOLDER

Each file of the folder is a block with its witness, written by the tests of this crate. The specification
(`ethereum-execution` on PyPI, which has all forks up to BPO2) executes the block on a state that contains only
the witness. Prints a line for each rejected block, and the number of accepted ones. Reading anything that is not
in the witness is an error.
"""

import copy
import importlib
import json
import pathlib
import sys
from types import SimpleNamespace

from ethereum.crypto.hash import keccak256
from ethereum_rlp import rlp
from ethereum_types.bytes import Bytes, Bytes32
from ethereum_types.numeric import U64, U256, Uint

EMPTY_ROOT = bytes(keccak256(rlp.encode(b"")))
EMPTY_CODE = bytes(keccak256(b""))


class Missing(Exception):
    """The block reads an item that is not in the witness."""


def nibbles(key):
    return tuple(nibble for byte in bytes(keccak256(key)) for nibble in (byte >> 4, byte & 15))


class WitnessTrie:
    """A Merkle-Patricia trie over the nodes of a witness.

    A node is None, the hash of a node that has not been read, `("leaf", path, value)`,
    `("extension", path, node)` or `("branch", [node; 16])`.
    """

    def __init__(self, root, nodes):
        self.nodes = nodes
        self.root = None if root == EMPTY_ROOT else root

    def resolve(self, node):
        if not isinstance(node, bytes):
            return node
        if node not in self.nodes:
            raise Missing(f"node {node.hex()}")
        return self.parse(rlp.decode(self.nodes[node]))

    def parse(self, item):
        child = lambda c: self.parse(c) if isinstance(c, list) else (bytes(c) or None)
        item = list(item)
        if len(item) == 17:
            return ("branch", [child(list(c) if isinstance(c, (list, tuple)) else c) for c in item[:16]])
        prefix = bytes(item[0])
        path = (prefix[0] & 15,) if prefix[0] & 16 else ()
        path += tuple(nibble for byte in prefix[1:] for nibble in (byte >> 4, byte & 15))
        if prefix[0] & 32:
            return ("leaf", path, bytes(item[1]))
        below = item[1]
        return ("extension", path, child(list(below) if isinstance(below, (list, tuple)) else below))

    def get(self, key):
        node, path = self.resolve(self.root), nibbles(key)
        while node is not None:
            if node[0] == "leaf":
                return node[2] if node[1] == path else None
            if node[0] == "branch":
                node, path = self.resolve(node[1][path[0]]), path[1:]
            elif path[: len(node[1])] == node[1]:
                node, path = self.resolve(node[2]), path[len(node[1]) :]
            else:
                return None
        return None

    def set(self, key, value):
        self.root = self.inserted(self.root, nibbles(key), value)

    def delete(self, key):
        self.root = self.deleted(self.root, nibbles(key))

    def inserted(self, node, path, value):
        node = self.resolve(node)
        if node is None:
            return ("leaf", path, value)
        if node[0] == "branch":
            children = list(node[1])
            children[path[0]] = self.inserted(children[path[0]], path[1:], value)
            return ("branch", children)
        own = node[1]
        shared = 0
        while shared < min(len(own), len(path)) and own[shared] == path[shared]:
            shared += 1
        if node[0] == "leaf" and own == path:
            return ("leaf", path, value)
        if node[0] == "extension" and shared == len(own):
            return ("extension", own, self.inserted(node[2], path[shared:], value))
        children = [None] * 16
        if node[0] == "leaf":
            children[own[shared]] = ("leaf", own[shared + 1 :], node[2])
        elif shared + 1 == len(own):
            children[own[shared]] = node[2]
        else:
            children[own[shared]] = ("extension", own[shared + 1 :], node[2])
        children[path[shared]] = ("leaf", path[shared + 1 :], value)
        branch = ("branch", children)
        return ("extension", own[:shared], branch) if shared else branch

    def deleted(self, node, path):
        node = self.resolve(node)
        if node is None:
            return None
        if node[0] == "leaf":
            return None if node[1] == path else node
        if node[0] == "extension":
            if path[: len(node[1])] != node[1]:
                return node
            return self.joined(node[1], self.deleted(node[2], path[len(node[1]) :]))
        children = list(node[1])
        children[path[0]] = self.deleted(children[path[0]], path[1:])
        live = [place for place in range(16) if children[place] is not None]
        if len(live) > 1:
            return ("branch", children)
        return self.joined((live[0],), children[live[0]])

    def joined(self, path, node):
        node = self.resolve(node)
        if node is None:
            return None
        if node[0] == "branch":
            return ("extension", path, node)
        return (node[0], path + node[1], node[2])

    def encoded(self, node):
        if node is None:
            return b""
        if isinstance(node, bytes):
            return node
        if node[0] == "branch":
            item = [self.encoded(child) for child in node[1]] + [b""]
        else:
            flag = 2 * (node[0] == "leaf") + len(node[1]) % 2
            path = (flag,) + (() if len(node[1]) % 2 else (0,)) + node[1]
            prefix = bytes(16 * path[at] + path[at + 1] for at in range(0, len(path), 2))
            item = [prefix, node[2] if node[0] == "leaf" else self.encoded(node[2])]
        data = rlp.encode(item)
        return item if len(data) < 32 else bytes(keccak256(data))

    def hash(self):
        if self.root is None:
            return EMPTY_ROOT
        top = self.encoded(self.root)
        return top if isinstance(top, bytes) else bytes(keccak256(rlp.encode(top)))


class Lazy(dict):
    """A dictionary that loads missing keys on first access; None stands for an absent value."""

    def __init__(self, load):
        super().__init__()
        self.load = load

    def __copy__(self):
        other = Lazy(self.load)
        other.update(self)
        return other

    def get(self, key, default=None):
        if not super().__contains__(key):
            self[key] = self.load(key)
        value = super().__getitem__(key)
        return default if value is None else value

    def __getitem__(self, key):
        return self.get(key)

    def __contains__(self, key):
        return self.get(key) is not None

    def __delitem__(self, key):
        self[key] = None


class Rules:
    """The specification of one fork, with its state replaced by a state over a witness."""

    def __init__(self, fork):
        module = lambda name: importlib.import_module(f"ethereum.forks.{fork}.{name}")
        self.state, self.trie = module("state"), module("trie")
        # Replaced before the other modules are imported, because they import these names.
        self.state.begin_transaction = self.begin_transaction
        self.state.state_root = lambda state: state.root_over_witness()
        self.types, self.blocks, self.fork = module("fork_types"), module("blocks"), module("fork")

    def begin_transaction(self, state, transient):
        """Like in the specification, but lazy dictionaries stay lazy."""
        tries = copy.copy(state._storage_tries)
        for address, trie in list(tries.items()):
            if trie is not None:
                tries[address] = self.trie.copy_trie(trie)
        state._snapshots.append((self.trie.copy_trie(state._main_trie), tries))
        copies = {key: self.trie.copy_trie(trie) for key, trie in transient._tries.items()}
        transient._snapshots.append(copies)

    def state_over(self, root, nodes, codes):
        """Returns a state with the nodes below `root`."""
        accounts, state, without_code = WitnessTrie(root, nodes), self.state.State(), {}

        def load(address):
            leaf = accounts.get(bytes(address))
            if leaf is None:
                return None
            nonce, balance, _, code_hash = rlp.decode(leaf)
            code_hash = bytes(code_hash)
            code = b"" if code_hash == EMPTY_CODE else codes.get(code_hash)
            if code is None:
                # A placeholder for code that the block does not read; its hash must not change.
                code = b"\xfe not in the witness: " + code_hash
                without_code[code] = code_hash
            nonce, balance = (int.from_bytes(number, "big") for number in (nonce, balance))
            return self.types.Account(nonce=Uint(nonce), balance=U256(balance), code=Bytes(code))

        def storage_root(address):
            leaf = accounts.get(bytes(address))
            return EMPTY_ROOT if leaf is None else bytes(rlp.decode(leaf)[2])

        def load_storage(address):
            root = storage_root(address)
            if root == EMPTY_ROOT:
                return None
            slots = WitnessTrie(root, nodes)

            def load_slot(key):
                leaf = slots.get(bytes(key))
                return None if leaf is None else U256(int.from_bytes(rlp.decode(leaf), "big"))

            trie = self.trie.Trie(secured=True, default=U256(0), _data=Lazy(load_slot))
            trie._data.below = root
            return trie

        def new_storage_root(address):
            if not dict.__contains__(state._storage_tries, address):
                return storage_root(address)
            trie = dict.__getitem__(state._storage_tries, address)
            if trie is None:
                return EMPTY_ROOT
            below = storage_root(address) if isinstance(trie._data, Lazy) else EMPTY_ROOT
            slots, values = WitnessTrie(below, nodes), dict(trie._data.items())
            # Insertions before deletions need the fewest nodes of the witness.
            for key, value in values.items():
                if value:
                    slots.set(bytes(key), rlp.encode(value))
            for key, value in values.items():
                if not value and slots.get(bytes(key)) is not None:
                    slots.delete(bytes(key))
            return slots.hash()

        def root_over_witness():
            touched = set(dict.keys(state._main_trie._data)) | set(dict.keys(state._storage_tries))
            gone = []
            for address in touched:
                account = state._main_trie._data.get(address)
                if account is None:
                    gone.append(address)
                    continue
                code = bytes(account.code)
                code_hash = without_code.get(code) or bytes(keccak256(code))
                root = new_storage_root(address)
                leaf = [account.nonce, account.balance, root, code_hash]
                accounts.set(bytes(address), rlp.encode(leaf))
            for address in gone:
                if accounts.get(bytes(address)) is not None:
                    accounts.delete(bytes(address))
            return Bytes32(accounts.hash())

        state._main_trie = self.trie.Trie(secured=True, default=None, _data=Lazy(load))
        state._storage_tries = Lazy(load_storage)
        state.root_over_witness = root_over_witness
        return state

    def judge(self, bundle):
        """Raises unless the block is valid."""
        data = lambda text: bytes.fromhex(text[2:])
        by_hash = lambda items: {bytes(keccak256(item)): item for item in map(data, items)}
        witness = bundle["witness"]
        headers = [rlp.decode_to(self.blocks.Header, data(text)) for text in witness["headers"]]
        headers.sort(key=lambda header: header.number)
        state = self.state_over(
            data(bundle["preStateRoot"]), by_hash(witness["state"]), by_hash(witness["codes"])
        )
        chain = self.fork.BlockChain(
            blocks=[SimpleNamespace(header=header) for header in headers],
            state=state,
            chain_id=U64(bundle["chainId"]),
        )
        block = rlp.decode_to(self.blocks.Block, data(bundle["block"]))
        self.fork.state_transition(chain, block)


def main(folder):
    sys.setrecursionlimit(20_000)
    rules, taken = {}, 0
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        bundle = json.loads(path.read_text())
        fork = bundle["fork"]
        if fork not in rules:
            rules[fork] = Rules(fork)
        try:
            rules[fork].judge(bundle)
            taken += 1
        except Exception as reason:  # Any exception counts as a rejection.
            print(f"{path.name}: {type(reason).__name__} {reason}")
    print(f"taken: {taken}")


if __name__ == "__main__":
    main(sys.argv[1])
