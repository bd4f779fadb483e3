"""titanoboa's network mode against the node at NODE: deploying, calling, logs, reverts and cheats from Vyper."""

import os

import boa
import pytest
from boa.rpc import EthereumRPC
from eth_account import Account

SOURCE = """
# pragma version ~=0.4.0

event Noted:
    by: indexed(address)
    value: uint256

value: public(uint256)
paid: public(HashMap[address, uint256])

@deploy
def __init__(first: uint256):
    self.value = first

@external
def set(new: uint256):
    assert new != 13, "unlucky"
    self.value = new
    log Noted(by=msg.sender, value=new)

@external
@payable
def pay():
    self.paid[msg.sender] += msg.value

@external
@view
def twice(number: uint256) -> uint256:
    return number * 2
"""

BLUEPRINT = """
# pragma version ~=0.4.0

@external
@view
def answer() -> uint256:
    return 42
"""

FACTORY = """
# pragma version ~=0.4.0

made: public(address)

@external
def make(blueprint: address):
    self.made = create_from_blueprint(blueprint)
"""

# The first accounts of the test mnemonic, which both nodes fund.
SECRETS = [
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
]


@pytest.fixture(scope="module", autouse=True)
def env():
    with boa.set_network_env(os.environ["NODE"]) as env:
        for secret in SECRETS:
            env.add_account(Account.from_key(secret))
        yield env


@pytest.fixture(scope="module")
def contract(env):
    return boa.loads(SOURCE, 7)


def test_a_contract_is_deployed_with_its_code(env, contract):
    assert contract.value() == 7
    assert len(env.get_code(contract.address)) > 0


def test_a_transaction_changes_storage(contract):
    contract.set(8)
    assert contract.value() == 8


def test_a_transaction_returns_its_logs(contract):
    contract.set(9)
    (log,) = contract.get_logs()
    assert log.value == 9


def test_a_revert_has_its_reason(contract):
    with boa.reverts("unlucky"):
        contract.set(13)


def test_a_value_is_paid(env, contract):
    contract.pay(value=5)
    assert contract.paid(env.eoa) == 5
    balance = EthereumRPC(os.environ["NODE"]).fetch("eth_getBalance", [str(contract.address), "latest"])
    assert int(balance, 16) == 5


def test_a_view_takes_no_transaction(env, contract):
    before = env.get_balance(env.eoa)
    assert contract.twice(21) == 42
    assert env.get_balance(env.eoa) == before


def test_another_account_sends(contract):
    other = Account.from_key(SECRETS[1]).address
    contract.pay(value=3, sender=other)
    assert contract.paid(other) == 3


def test_a_blueprint_is_deployed_and_used(env):
    blueprint = boa.loads_partial(BLUEPRINT).deploy_as_blueprint()
    factory = boa.loads(FACTORY)
    factory.make(blueprint.address)
    assert boa.loads_partial(BLUEPRINT).at(factory.made()).answer() == 42


def test_an_anchor_takes_back_what_was_done(env, contract):
    before = contract.value()
    with env.anchor():
        contract.set(99)
        assert contract.value() == 99
    assert contract.value() == before


def test_the_chain_is_the_one_of_anvil():
    assert int(EthereumRPC(os.environ["NODE"]).fetch("eth_chainId", []), 16) == 31_337
