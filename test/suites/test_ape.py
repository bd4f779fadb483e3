"""ape with its provider for anvil against the node at NODE: accounts, contracts, logs, reverts, traces and cheats."""

import os
import tempfile

# Read when ape is imported: where its provider finds the node, and a folder that no other run has written to.
os.environ["APE_FOUNDRY_HOST"] = os.environ["NODE"]
os.environ["APE_DATA_FOLDER"] = tempfile.mkdtemp()

import ape
import pytest
from ape.contracts import ContractContainer
from ethpm_types import ContractType

ABI = [
    {"type": "constructor", "stateMutability": "payable", "inputs": []},
    {"type": "function", "name": "set", "stateMutability": "payable",
     "inputs": [{"name": "to", "type": "uint256"}], "outputs": []},
    {"type": "function", "name": "many", "stateMutability": "nonpayable",
     "inputs": [{"name": "count", "type": "uint256"}], "outputs": []},
    {"type": "function", "name": "value", "stateMutability": "view",
     "inputs": [], "outputs": [{"name": "", "type": "uint256"}]},
    {"type": "function", "name": "notes", "stateMutability": "view",
     "inputs": [{"name": "", "type": "address"}], "outputs": [{"name": "", "type": "uint256"}]},
    {"type": "function", "name": "refuse", "stateMutability": "pure", "inputs": [], "outputs": []},
    {"type": "function", "name": "refuseCustom", "stateMutability": "view",
     "inputs": [{"name": "with", "type": "uint256"}], "outputs": []},
    {"type": "event", "name": "Noted", "anonymous": False, "inputs": [
        {"name": "by", "type": "address", "indexed": True},
        {"name": "value", "type": "uint256", "indexed": True},
        {"name": "other", "type": "uint256", "indexed": False}]},
    {"type": "error", "name": "Refused", "inputs": [
        {"name": "by", "type": "address"}, {"name": "value", "type": "uint256"}]},
]


@pytest.fixture(scope="module")
def provider():
    with ape.networks.ethereum.local.use_provider("foundry") as connected:
        yield connected


@pytest.fixture(scope="module")
def accounts(provider):
    return ape.accounts.test_accounts


@pytest.fixture(scope="module")
def container():
    code = os.environ["PROBE"]
    return ContractContainer(contract_type=ContractType.model_validate({
        "contractName": "Probe", "abi": ABI,
        "deploymentBytecode": {"bytecode": code if code.startswith("0x") else f"0x{code}"},
    }))


@pytest.fixture
def probe(container, accounts):
    return accounts[0].deploy(container)


@pytest.fixture(autouse=True)
def isolation(provider):
    snapshot = provider.snapshot()
    yield
    provider.restore(snapshot)


def test_accounts_have_ether(accounts):
    assert accounts[0].balance > 10**21 and accounts[9].balance > 10**21


def test_deploy(probe):
    assert probe.value() == 1


def test_transfer(accounts):
    before = accounts[1].balance
    accounts[0].transfer(accounts[1], "1 ether")
    assert accounts[1].balance == before + 10**18


def test_transaction_and_its_log(probe, accounts):
    receipt = probe.set(7, sender=accounts[1])
    assert probe.value() == 7 and probe.notes(accounts[1]) == 7
    assert [(log.by, log.value) for log in receipt.decode_logs(probe.Noted)] == [(accounts[1].address, 7)]


def test_events_of_a_contract(probe, accounts):
    probe.many(5, sender=accounts[0])
    assert [log.value for log in probe.Noted] == [0, 1, 2, 3, 4]


def test_static_fee_transaction(probe, accounts):
    assert probe.set(8, sender=accounts[0], type=0).type == 0


def test_access_list_transaction(probe, accounts):
    assert probe.set(9, sender=accounts[0], type=1).type == 1


def test_gas_estimate(probe, accounts):
    assert probe.set.estimate_gas_cost(1, sender=accounts[0]) > 21_000


def test_revert_with_words(probe, accounts):
    with ape.reverts("refused with words"):
        probe.refuse(sender=accounts[0], gas_limit=200_000)


def test_revert_of_a_call(probe):
    with ape.reverts("refused with words"):
        probe.refuse()


def test_custom_error(probe, accounts):
    with ape.reverts(probe.Refused, error_inputs={"value": 5}):
        probe.refuseCustom(5, sender=accounts[2])


def test_trace_of_a_transaction(probe, accounts):
    receipt = probe.set(3, sender=accounts[0])
    assert "60fe47b1" in str(receipt.trace.get_calltree())


def test_mine(provider):
    before = provider.get_block("latest").number
    provider.mine(3)
    assert provider.get_block("latest").number == before + 3


def test_timestamp(provider):
    later = provider.get_block("pending").timestamp + 1_000
    ape.chain.pending_timestamp = later
    ape.chain.mine()
    assert provider.get_block("latest").timestamp >= later


def test_snapshot_and_restore(probe, accounts):
    snapshot = ape.chain.snapshot()
    probe.set(55, sender=accounts[0])
    ape.chain.restore(snapshot)
    assert probe.value() == 1


def test_isolate(probe, accounts):
    with ape.chain.isolate():
        probe.set(56, sender=accounts[0])
    assert probe.value() == 1


def test_set_balance(accounts, provider):
    provider.set_balance("0x00000000000000000000000000000000000000aa", 77)
    assert provider.get_balance("0x00000000000000000000000000000000000000aa") == 77


def test_set_code(provider):
    provider.set_code("0x00000000000000000000000000000000000000bb", "0x6001")
    assert provider.get_code("0x00000000000000000000000000000000000000bb") == bytes.fromhex("6001")


def test_set_storage(probe, provider):
    provider.set_storage(probe.address, 0, (91).to_bytes(32, "big"))
    assert probe.value() == 91


def test_impersonation(probe, accounts):
    whale = ape.accounts["0x000000000000000000000000000000000000bEEF"]
    accounts[0].transfer(whale, "1 ether")
    probe.set(12, sender=whale)
    assert probe.notes(whale.address) == 12


def test_automine(probe, accounts, provider):
    provider.auto_mine = False
    try:
        assert not provider.auto_mine
    finally:
        provider.auto_mine = True


def test_query_of_blocks(provider):
    provider.mine(2)
    assert len(ape.chain.blocks.query("number", "timestamp", start_block=0)) == len(ape.chain.blocks)
