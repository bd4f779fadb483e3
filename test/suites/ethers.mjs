// ethers' provider, signers and contracts against the node at NODE. PROBE is the init code of anvil-diff's Probe.sol.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Contract, ContractFactory, HDNodeWallet, JsonRpcProvider, WebSocketProvider, keccak256, parseEther } from 'ethers'

const { NODE: url, PROBE: bytecode } = process.env
const provider = new JsonRpcProvider(url, 31337, { staticNetwork: true, cacheTimeout: -1, pollingInterval: 50 })
const phrase = 'test test test test test test test test test test test junk'
const wallet = HDNodeWallet.fromPhrase(phrase, undefined, "m/44'/60'/0'/0/0").connect(provider)
const stranger = '0x000000000000000000000000000000000000bEEF'
const abi = [
  'constructor() payable',
  'function set(uint256) payable',
  'function value() view returns (uint256)',
  'function refuse() pure',
  'function refuseCustom(uint256) view',
  'function panics(uint256) pure returns (uint256)',
  'function many(uint256)',
  'event Noted(address indexed by, uint256 indexed value, uint256 other)',
  'error Refused(address by, uint256 value)',
]
const signer = await provider.getSigner(0)
const contract = await new ContractFactory(abi, bytecode, signer).deploy({ value: 5n })
await contract.waitForDeployment()
const address = await contract.getAddress()
const set = await (await contract.set(42n)).wait()
const until = async (ready) => {
  for (let tries = 0; !ready(); tries++) {
    assert(tries < 200, 'not within 10 s')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
after(() => provider.destroy())

test('getNetwork', async () => assert.equal((await provider.getNetwork()).chainId, 31337n))
test('getBlockNumber', async () => assert(await provider.getBlockNumber() >= 2))
test('getBlock', async () => assert.equal((await provider.getBlock(set.blockNumber)).hash, set.blockHash))
test('getBlock with transactions', async () => {
  const block = await provider.getBlock(set.blockHash, true)
  assert.equal(block.prefetchedTransactions[0].hash, set.hash)
})
for (const tag of ['latest', 'earliest', 'pending', 'safe', 'finalized']) {
  test(`getBlock ${tag}`, async () => assert(await provider.getBlock(tag)))
}
test('getBlock that is not there', async () => assert.equal(await provider.getBlock(10_000_000), null))
test('getTransaction', async () => assert.equal((await provider.getTransaction(set.hash)).blockNumber, set.blockNumber))
test('getTransaction that is not there', async () => assert.equal(await provider.getTransaction(keccak256('0x00')), null))
test('getTransactionReceipt', async () => assert.equal((await provider.getTransactionReceipt(set.hash)).status, 1))
test('getBalance', async () => assert.equal(await provider.getBalance(address), 5n))
test('getBalance of an earlier block', async () => assert.equal(await provider.getBalance(address, 0), 0n))
test('getCode', async () => assert((await provider.getCode(address)).length > 100))
test('getStorage', async () => assert.equal(BigInt(await provider.getStorage(address, 0, set.blockNumber)), 42n))
test('getTransactionCount', async () => assert(await provider.getTransactionCount(wallet.address) >= 2))
test('getFeeData', async () => assert((await provider.getFeeData()).maxFeePerGas > 0n))
test('estimateGas', async () => assert.equal(await provider.estimateGas({ from: wallet.address, to: stranger, value: 1n }), 21000n))
test('call', async () => assert.equal(await contract.value({ blockTag: set.blockNumber }), 42n))
test('getLogs', async () => assert.equal((await provider.getLogs({ address, blockHash: set.blockHash })).length, 1))
test('queryFilter', async () => {
  const logs = await contract.queryFilter(contract.filters.Noted(wallet.address, 42n))
  assert.equal(logs[0].args.value, 42n)
})
test('listAccounts', async () => assert.equal((await provider.listAccounts()).length, 10))
test('a revert with text', () => assert.rejects(contract.refuse(), { reason: 'refused with words' }))
test('a revert with a custom error', () =>
  assert.rejects(contract.refuseCustom(7n), (error) => error.revert?.name === 'Refused' && error.revert.args[1] === 7n))
test('a panic', () => assert.rejects(contract.panics(0n), (error) => error.revert?.name === 'Panic' && Number(error.revert.args[0]) === 18))
test('estimateGas of a revert', () => assert.rejects(contract.refuse.estimateGas(), { reason: 'refused with words' }))
test('staticCall', async () => assert.equal((await contract.set.staticCall(1n)).length, 0))
test('sendTransaction by the node', async () =>
  assert.equal((await (await signer.sendTransaction({ to: stranger, value: 1n })).wait()).status, 1))
for (const [name, type] of [['legacy', 0], ['access list', 1], ['dynamic fee', 2]]) {
  test(`sendTransaction, ${name}`, async () => {
    const receipt = await (await wallet.sendTransaction({ to: stranger, value: 1n, type })).wait()
    assert.equal(receipt.type, type)
  })
}
test('sendTransaction, authorization', async () => {
  const other = HDNodeWallet.fromPhrase(phrase, undefined, "m/44'/60'/0'/0/1").connect(provider)
  const authorization = await other.authorize({ address, chainId: 31337n, nonce: await other.getNonce() })
  const receipt = await (await wallet.sendTransaction({ type: 4, to: other.address, authorizationList: [authorization] })).wait()
  assert.equal(receipt.type, 4)
})
test('sendTransaction beyond the balance', () =>
  assert.rejects(wallet.sendTransaction({ to: stranger, value: parseEther('1000000000'), gasLimit: 21000n }), { code: 'INSUFFICIENT_FUNDS' }))
test('sendTransaction with an old nonce', () =>
  assert.rejects(wallet.sendTransaction({ to: stranger, nonce: 0, gasLimit: 21000n }), { code: 'NONCE_EXPIRED' }))
test('a transaction that reverts', async () => {
  const sent = await wallet.sendTransaction({ to: address, data: contract.interface.encodeFunctionData('refuse'), gasLimit: 100_000n })
  await assert.rejects(sent.wait(), { code: 'CALL_EXCEPTION' })
})
test('signMessage by the node', async () => assert.equal((await signer.signMessage('hello')).length, 132))
test('signTypedData by the node', async () => {
  const types = { Note: [{ name: 'text', type: 'string' }] }
  assert.equal((await signer.signTypedData({ chainId: 31337 }, types, { text: 'x' })).length, 132)
})
test('waitForTransaction with two confirmations', async () => {
  const sent = await wallet.sendTransaction({ to: stranger, value: 1n })
  const waited = provider.waitForTransaction(sent.hash, 2, 10_000)
  // The provider notes the head first, and then looks for new blocks.
  await new Promise((resolve) => setTimeout(resolve, 300))
  await provider.send('evm_mine', [])
  assert.equal((await waited).status, 1)
})
test('logs of a receipt are parsed', async () => {
  const receipt = await (await contract.many(3n)).wait()
  assert.deepEqual(receipt.logs.map((log) => log.args.value), [0n, 1n, 2n])
})
test('a batch of requests', async () => {
  const balances = await Promise.all(Array.from({ length: 20 }, (_, index) => provider.getBalance(address, index % 2)))
  assert.equal(balances.length, 20)
})
test('events by polling', async () => {
  const seen = []
  await contract.on('Noted', (by, value) => seen.push(value))
  await (await contract.set(50n)).wait()
  await until(() => seen.includes(50n))
  await contract.removeAllListeners()
})
test('blocks and events over WebSocket', async () => {
  const live = new WebSocketProvider(url.replace('http', 'ws'), 31337)
  const seen = { blocks: [], logs: [] }
  await live.on('block', (number) => seen.blocks.push(number))
  await new Contract(address, abi, live).on('Noted', (by, value) => seen.logs.push(value))
  await new Promise((resolve) => setTimeout(resolve, 500))
  await (await contract.set(51n)).wait()
  await until(() => seen.blocks.length > 0 && seen.logs.includes(51n))
  await live.destroy()
})
