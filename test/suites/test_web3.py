"""web3.py's own module tests, as its wheel ships them, told to the node at NODE over HTTP and WebSocket.

The classes come from `web3._utils.module_testing`; here are the fixtures that they ask for.
"""

import os

import pytest
import pytest_asyncio
from web3 import AsyncHTTPProvider, AsyncWeb3, Web3, WebSocketProvider
from web3._utils import module_testing as modules
from web3._utils.contract_sources.contract_data import (
    emitter_contract as emitter,
    math_contract as mathematics,
    offchain_lookup,
    panic_errors_contract as panics,
    revert_contract as reverts,
    storage_contract as storage,
)
from web3._utils.contract_sources.contract_data._custom_contract_data import EMITTER_ENUM
from web3._utils.module_testing import web3_module
from web3._utils.module_testing.persistent_connection_provider import PersistentConnectionProviderTest
from web3._utils.module_testing.utils import RequestMocker

NODE = os.environ["NODE"]
# The first account of the test mnemonic, which both nodes fund.
SECRET = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


def deployed(w3, abi, bytecode, **_):
    sent = w3.eth.contract(abi=abi, bytecode=bytecode).constructor().transact({"from": ADDRESS})
    return w3.eth.wait_for_transaction_receipt(sent)


@pytest.fixture(scope="module")
def node():
    w3 = Web3(Web3.HTTPProvider(NODE, request_kwargs={"timeout": 20}))
    w3.eth.default_account = ADDRESS
    return w3


@pytest.fixture(scope="module")
def contracts(node):
    return {
        "math": deployed(node, mathematics.MATH_CONTRACT_ABI, mathematics.MATH_CONTRACT_BYTECODE),
        "emitter": deployed(node, emitter.EMITTER_CONTRACT_ABI, emitter.EMITTER_CONTRACT_BYTECODE),
        "revert": deployed(node, reverts.REVERT_CONTRACT_ABI, reverts.REVERT_CONTRACT_BYTECODE),
        "offchain": deployed(
            node, offchain_lookup.OFFCHAIN_LOOKUP_ABI, offchain_lookup.OFFCHAIN_LOOKUP_BYTECODE
        ),
        "panic": deployed(node, **panics.PANIC_ERRORS_CONTRACT_DATA),
        "storage": deployed(node, **storage.STORAGE_CONTRACT_DATA),
    }


@pytest.fixture
def w3(node):
    fresh = Web3(Web3.HTTPProvider(NODE, request_kwargs={"timeout": 20}))
    return fresh


@pytest.fixture(params=[str, bytes], ids=["address_str", "address_bytes"])
def address_conversion_func(request):
    return (lambda address: address) if request.param is str else (lambda address: bytes.fromhex(address[2:]))


@pytest.fixture
def math_contract_deploy_txn_hash(contracts):
    return contracts["math"]["transactionHash"]


@pytest.fixture
def math_contract(w3, contracts):
    return w3.eth.contract(contracts["math"]["contractAddress"], abi=mathematics.MATH_CONTRACT_ABI)


@pytest.fixture
def math_contract_address(math_contract, address_conversion_func):
    return address_conversion_func(math_contract.address)


@pytest.fixture
def emitter_contract(w3, contracts):
    return w3.eth.contract(contracts["emitter"]["contractAddress"], abi=emitter.EMITTER_CONTRACT_ABI)


@pytest.fixture
def emitter_contract_address(emitter_contract, address_conversion_func):
    return address_conversion_func(emitter_contract.address)


@pytest.fixture
def async_math_contract(async_w3, contracts):
    return async_w3.eth.contract(contracts["math"]["contractAddress"], abi=mathematics.MATH_CONTRACT_ABI)


@pytest.fixture
def async_math_contract_address(math_contract_address):
    return math_contract_address


@pytest.fixture
def async_emitter_contract(async_w3, contracts):
    return async_w3.eth.contract(contracts["emitter"]["contractAddress"], abi=emitter.EMITTER_CONTRACT_ABI)


@pytest.fixture
def async_emitter_contract_address(emitter_contract_address):
    return emitter_contract_address


@pytest.fixture
def revert_contract(w3, contracts):
    return w3.eth.contract(contracts["revert"]["contractAddress"], abi=reverts.REVERT_CONTRACT_ABI)


@pytest.fixture
def async_revert_contract(async_w3, contracts):
    return async_w3.eth.contract(contracts["revert"]["contractAddress"], abi=reverts.REVERT_CONTRACT_ABI)


@pytest.fixture
def offchain_lookup_contract(w3, contracts):
    return w3.eth.contract(contracts["offchain"]["contractAddress"], abi=offchain_lookup.OFFCHAIN_LOOKUP_ABI)


@pytest.fixture
def async_offchain_lookup_contract(async_w3, contracts):
    address = contracts["offchain"]["contractAddress"]
    return async_w3.eth.contract(address, abi=offchain_lookup.OFFCHAIN_LOOKUP_ABI)


@pytest.fixture
def panic_errors_contract(w3, contracts):
    return w3.eth.contract(contracts["panic"]["contractAddress"], **panics.PANIC_ERRORS_CONTRACT_DATA)


@pytest.fixture
def async_panic_errors_contract(async_w3, contracts):
    return async_w3.eth.contract(contracts["panic"]["contractAddress"], **panics.PANIC_ERRORS_CONTRACT_DATA)


@pytest.fixture
def storage_contract(w3, contracts):
    return w3.eth.contract(contracts["storage"]["contractAddress"], **storage.STORAGE_CONTRACT_DATA)


@pytest.fixture
def async_storage_contract(async_w3, contracts):
    return async_w3.eth.contract(contracts["storage"]["contractAddress"], **storage.STORAGE_CONTRACT_DATA)


@pytest.fixture
def keyfile_account_pkey():
    return SECRET


@pytest.fixture
def keyfile_account_address():
    return ADDRESS


@pytest.fixture
def keyfile_account_address_dual_type(address_conversion_func):
    return address_conversion_func(ADDRESS)


@pytest_asyncio.fixture
async def async_keyfile_account_address():
    return ADDRESS


@pytest_asyncio.fixture
async def async_keyfile_account_address_dual_type(address_conversion_func):
    return address_conversion_func(ADDRESS)


@pytest.fixture(scope="module")
def empty_block(node):
    node.provider.make_request("evm_mine", [])
    return node.eth.get_block("latest")


@pytest_asyncio.fixture
async def async_empty_block(empty_block):
    return empty_block


@pytest.fixture(scope="module")
def block_with_txn(node):
    sent = node.eth.send_transaction({"from": ADDRESS, "to": ADDRESS, "value": 1, "gas": 21_000})
    return node.eth.get_block(node.eth.wait_for_transaction_receipt(sent)["blockNumber"])


@pytest_asyncio.fixture
async def async_block_with_txn(block_with_txn):
    return block_with_txn


@pytest.fixture
def mined_txn_hash(block_with_txn):
    return block_with_txn["transactions"][0]


@pytest.fixture(scope="module")
def block_with_txn_with_log(node, contracts):
    contract = node.eth.contract(contracts["emitter"]["contractAddress"], abi=emitter.EMITTER_CONTRACT_ABI)
    call = contract.functions.logDouble(which=EMITTER_ENUM["LogDoubleWithIndex"], arg0=12345, arg1=54321)
    receipt = node.eth.wait_for_transaction_receipt(call.transact({"from": ADDRESS}))
    return node.eth.get_block(receipt["blockNumber"])



@pytest_asyncio.fixture
async def async_block_with_txn_with_log(block_with_txn_with_log):
    return block_with_txn_with_log


@pytest.fixture
def txn_hash_with_log(block_with_txn_with_log):
    return block_with_txn_with_log["transactions"][0]


@pytest.fixture
def skip_if_testrpc():
    """Skips nothing: the node is not eth-tester."""
    return lambda w3: None


@pytest_asyncio.fixture
async def async_skip_if_testrpc():
    return lambda w3: None


@pytest.fixture
def request_mocker():
    return RequestMocker


@pytest_asyncio.fixture(params=["http", "ws"])
async def async_w3(request):
    """The asynchronous tests run over both transports."""
    if request.param == "http":
        w3 = AsyncWeb3(AsyncHTTPProvider(NODE))
        yield w3
        await w3.provider.disconnect()
    else:
        async with AsyncWeb3(WebSocketProvider(NODE.replace("http", "ws"))) as w3:
            yield w3


class TestWeb3(modules.Web3ModuleTest):
    def _check_web3_client_version(self, version):
        assert isinstance(version, str) and version


class TestNet(modules.NetModuleTest):
    pass


class TestEth(modules.EthModuleTest):
    pass


class TestDebug(modules.GoEthereumDebugModuleTest):
    pass


class TestTxPool(modules.GoEthereumTxPoolModuleTest):
    pass


class TestAsyncWeb3(web3_module.AsyncWeb3ModuleTest):
    def _check_web3_client_version(self, version):
        assert isinstance(version, str) and version


class TestAsyncNet(modules.AsyncNetModuleTest):
    pass


class TestAsyncEth(modules.AsyncEthModuleTest):
    pass


class TestAsyncDebug(modules.GoEthereumAsyncDebugModuleTest):
    pass


class TestAsyncTxPool(modules.GoEthereumAsyncTxPoolModuleTest):
    pass


class TestWebSocket(PersistentConnectionProviderTest):
    """Subscriptions."""

    @pytest_asyncio.fixture
    async def async_w3(self):
        async with AsyncWeb3(WebSocketProvider(NODE.replace("http", "ws"))) as w3:
            yield w3
