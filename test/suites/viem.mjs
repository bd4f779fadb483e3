// viem's actions, one test each, against the node at NODE. PROBE is the init code of anvil-diff's Probe.sol.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import {
  createPublicClient, createTestClient, createWalletClient, encodeFunctionData, hexToBigInt, http, keccak256,
  parseAbi, parseEther, parseGwei, stringToHex, verifyMessage, webSocket,
} from 'viem'
import { mnemonicToAccount } from 'viem/accounts'
import { foundry } from 'viem/chains'

const { NODE: url, PROBE: bytecode } = process.env
const phrase = 'test test test test test test test test test test test junk'
const account = mnemonicToAccount(phrase)
const second = mnemonicToAccount(phrase, { addressIndex: 1 })
const common = { chain: foundry, transport: http(url), pollingInterval: 50 }
const reader = createPublicClient(common)
const wallet = createWalletClient({ ...common, account })
const unlocked = createWalletClient({ ...common, account: account.address })
const cheats = createTestClient({ ...common, mode: 'anvil' })
const abi = parseAbi([
  'constructor() payable',
  'function set(uint256) payable',
  'function value() view returns (uint256)',
  'function notes(address) view returns (uint256)',
  'function many(uint256)',
  'function refuse() pure',
  'function refuseCustom(uint256) view',
  'function panics(uint256) pure returns (uint256)',
  'function halts() pure',
  'event Noted(address indexed by, uint256 indexed value, uint256 other)',
  'error Refused(address by, uint256 value)',
])
const stranger = '0x000000000000000000000000000000000000bEEF'
const mined = (hash) => reader.waitForTransactionReceipt({ hash })
const { contractAddress: address } = await mined(await wallet.deployContract({ abi, bytecode, value: 5n }))
const set = await mined(await wallet.writeContract({ abi, address, functionName: 'set', args: [42n] }))
const read = (functionName, args) => reader.readContract({ abi, address, functionName, args })

// Blocks and transactions.
test('getChainId', async () => assert.equal(await reader.getChainId(), 31337))
test('getBlockNumber', async () => assert(await reader.getBlockNumber({ cacheTime: 0 }) >= 2n))
test('getBlock by number', async () => {
  const block = await reader.getBlock({ blockNumber: set.blockNumber })
  assert.equal(block.hash, set.blockHash)
  assert.deepEqual(block.transactions, [set.transactionHash])
})
test('getBlock by hash with transactions', async () => {
  const block = await reader.getBlock({ blockHash: set.blockHash, includeTransactions: true })
  assert.equal(block.transactions[0].hash, set.transactionHash)
})
for (const blockTag of ['latest', 'earliest', 'pending', 'safe', 'finalized']) {
  test(`getBlock ${blockTag}`, async () => assert(await reader.getBlock({ blockTag })))
}
test('getBlock that is not there', () => assert.rejects(reader.getBlock({ blockNumber: 10_000_000n }), /could not be found/))
test('getBlockTransactionCount', async () =>
  assert.equal(await reader.getBlockTransactionCount({ blockNumber: set.blockNumber }), 1))
test('getTransaction', async () => {
  const transaction = await reader.getTransaction({ hash: set.transactionHash })
  assert.equal(transaction.type, 'eip1559')
  assert.equal(transaction.to, address.toLowerCase())
})
test('getTransaction by index', async () => {
  const transaction = await reader.getTransaction({ blockHash: set.blockHash, index: 0 })
  assert.equal(transaction.hash, set.transactionHash)
})
test('getTransaction that is not there', () =>
  assert.rejects(reader.getTransaction({ hash: keccak256('0x00') }), /could not be found/))
test('getTransactionReceipt', async () => {
  const receipt = await reader.getTransactionReceipt({ hash: set.transactionHash })
  assert.equal(receipt.status, 'success')
  assert.equal(receipt.logs.length, 1)
})
test('getTransactionReceipt that is not there', () =>
  assert.rejects(reader.getTransactionReceipt({ hash: keccak256('0x00') }), /could not be found/))
test('getTransactionConfirmations', async () =>
  assert(await reader.getTransactionConfirmations({ transactionReceipt: set }) >= 1n))

// State.
test('getBalance', async () => assert.equal(await reader.getBalance({ address }), 5n))
test('getBalance of an earlier block', async () =>
  assert.equal(await reader.getBalance({ address, blockNumber: 0n }), 0n))
test('getCode', async () => assert((await reader.getCode({ address })).length > 100))
test('getStorageAt', async () =>
  assert.equal(hexToBigInt(await reader.getStorageAt({ address, slot: '0x0', blockNumber: set.blockNumber })), 42n))
test('getTransactionCount', async () => assert(await reader.getTransactionCount({ address: account.address }) >= 2))
test('getProof', async () => {
  const proof = await reader.getProof({ address, storageKeys: [`0x${'00'.repeat(32)}`] })
  assert.equal(proof.balance, 5n)
  assert.equal(proof.storageProof.length, 1)
})

// Calls.
test('readContract', async () => assert.equal(await read('notes', [account.address]), 42n))
test('call', async () => {
  const { data } = await reader.call({ to: address, data: encodeFunctionData({ abi, functionName: 'value' }) })
  assert(hexToBigInt(data) > 0n)
})
test('call with state override', async () => {
  const { data } = await reader.call({
    to: address,
    data: encodeFunctionData({ abi, functionName: 'value' }),
    stateOverride: [{ address, stateDiff: [{ slot: `0x${'00'.repeat(32)}`, value: `0x${'00'.repeat(31)}63` }] }],
  })
  assert.equal(hexToBigInt(data), 99n)
})
test('deployless call', async () => {
  const { data } = await reader.call({ code: '0x67602a5f5260205ff35f5260086018f3', data: '0x' })
  assert.equal(hexToBigInt(data), 42n)
})
test('multicall without multicall3', () =>
  assert.rejects(reader.multicall({ contracts: [{ abi, address, functionName: 'value' }], allowFailure: false })))
test('simulateContract', async () => {
  const { request } = await reader.simulateContract({ abi, address, functionName: 'set', args: [1n], account })
  assert.equal(request.functionName, 'set')
})
test('simulateCalls', async () => {
  const { results } = await reader.simulateCalls({
    account: account.address, calls: [{ to: address, abi, functionName: 'set', args: [3n] }, { to: stranger, value: 1n }],
  })
  assert.deepEqual(results.map((result) => result.status), ['success', 'success'])
})
test('simulateBlocks', async () => {
  const blocks = await reader.simulateBlocks({
    blocks: [{ calls: [{ from: account.address, to: stranger, value: 1n }] }, { calls: [] }],
  })
  assert.equal(blocks.length, 2)
  assert.equal(blocks[0].calls[0].status, 'success')
})
test('createAccessList', async () => {
  const { accessList } = await reader.createAccessList({
    to: address, data: encodeFunctionData({ abi, functionName: 'set', args: [1n] }), account,
  })
  assert.equal(accessList[0].address, address.toLowerCase())
})

// Errors of contracts.
test('a revert with text', () => assert.rejects(read('refuse'), /refused with words/))
test('a revert with a custom error', () => assert.rejects(read('refuseCustom', [7n]), /Refused\(address by, uint256 value\)/))
test('a panic', () => assert.rejects(read('panics', [0n]), /divi/i))
test('a halt', () => assert.rejects(read('halts')))
test('estimateContractGas of a revert', () =>
  assert.rejects(reader.estimateContractGas({ abi, address, functionName: 'refuse', account }), /refused with words/))
test('writeContract that reverts', async () => {
  const hash = await wallet.writeContract({ abi, address, functionName: 'refuse', gas: 100_000n })
  assert.equal((await mined(hash)).status, 'reverted')
})

// Fees.
test('getGasPrice', async () => assert(await reader.getGasPrice() > 0n))
test('estimateMaxPriorityFeePerGas', async () => assert(await reader.estimateMaxPriorityFeePerGas() >= 0n))
test('estimateFeesPerGas', async () => assert((await reader.estimateFeesPerGas()).maxFeePerGas > 0n))
test('getBlobBaseFee', async () => assert(await reader.getBlobBaseFee() >= 1n))
test('getFeeHistory', async () => {
  const history = await reader.getFeeHistory({ blockCount: 2, rewardPercentiles: [25, 75] })
  assert.equal(history.baseFeePerGas.length, 3)
  assert.equal(history.reward.length, 2)
})
test('estimateGas', async () => assert.equal(await reader.estimateGas({ account, to: stranger, value: 1n }), 21000n))
test('estimateGas with state override', async () => {
  const poor = '0x00000000000000000000000000000000000000cc'
  const stateOverride = [{ address: poor, balance: parseEther('1') }]
  assert.equal(await reader.estimateGas({ account: poor, to: stranger, value: 1n, stateOverride }), 21000n)
})

// Sending.
test('sendTransaction, signed here', async () =>
  assert.equal((await mined(await wallet.sendTransaction({ to: stranger, value: 1n }))).status, 'success'))
test('sendTransaction, signed by the node', async () =>
  assert.equal((await mined(await unlocked.sendTransaction({ to: stranger, value: 1n }))).status, 'success'))
test('sendTransaction, legacy', async () => {
  const hash = await wallet.sendTransaction({ to: stranger, value: 1n, gasPrice: parseGwei('10'), type: 'legacy' })
  assert.equal((await mined(hash)).type, 'legacy')
})
test('sendTransaction, access list', async () => {
  const accessList = [{ address, storageKeys: [`0x${'00'.repeat(32)}`] }]
  const hash = await wallet.sendTransaction({ to: address, value: 1n, accessList, gasPrice: parseGwei('10'), type: 'eip2930' })
  assert.equal((await mined(hash)).type, 'eip2930')
})
test('sendTransaction, authorization', async () => {
  const authorization = await wallet.signAuthorization({ account: second, contractAddress: address })
  const hash = await wallet.sendTransaction({ to: second.address, authorizationList: [authorization] })
  assert.equal((await mined(hash)).type, 'eip7702')
  assert.equal(await reader.getCode({ address: second.address }), `0xef0100${address.slice(2).toLowerCase()}`)
})
test('sendTransactionSync', async () => {
  const request = await wallet.prepareTransactionRequest({ to: stranger, value: 1n })
  const receipt = await wallet.sendRawTransactionSync({ serializedTransaction: await wallet.signTransaction(request) })
  assert.equal(receipt.status, 'success')
})
test('sendRawTransaction', async () => {
  const request = await wallet.prepareTransactionRequest({ to: stranger, value: 2n })
  const hash = await wallet.sendRawTransaction({ serializedTransaction: await wallet.signTransaction(request) })
  assert.equal((await mined(hash)).status, 'success')
})
test('sendTransaction beyond the balance', () =>
  assert.rejects(wallet.sendTransaction({ to: stranger, value: parseEther('1000000000'), gas: 21000n }), /exceeds the balance/))
test('sendTransaction with an old nonce', () =>
  assert.rejects(wallet.sendTransaction({ to: stranger, nonce: 0, gas: 21000n }), /lower than the current nonce/))
test('sendTransaction with a tip above the fee', () =>
  assert.rejects(unlocked.request({ method: 'eth_sendTransaction', params: [{
    from: account.address, to: stranger, maxFeePerGas: '0x1', maxPriorityFeePerGas: '0x2',
  }] })))
test('signMessage by the node', async () => {
  const signature = await unlocked.signMessage({ message: 'hello' })
  assert(await verifyMessage({ address: account.address, message: 'hello', signature }))
})
test('signTypedData by the node', async () => {
  const data = { domain: { chainId: 31337 }, types: { Note: [{ name: 'text', type: 'string' }] }, primaryType: 'Note', message: { text: 'x' } }
  assert(await reader.verifyTypedData({ ...data, address: account.address, signature: await unlocked.signTypedData(data) }))
})
test('getAddresses', async () => assert.equal((await unlocked.getAddresses()).length, 10))

// Logs and filters.
test('getLogs', async () =>
  assert.equal((await reader.getLogs({ address, blockHash: set.blockHash })).length, 1))
test('getContractEvents by topic', async () => {
  const events = await reader.getContractEvents({ abi, address, eventName: 'Noted', args: { value: 42n }, fromBlock: 0n })
  assert.equal(events[0].args.by, account.address)
})
test('createContractEventFilter', async () => {
  const filter = await reader.createContractEventFilter({ abi, address, eventName: 'Noted' })
  await mined(await wallet.writeContract({ abi, address, functionName: 'set', args: [44n] }))
  assert.deepEqual((await reader.getFilterChanges({ filter })).map((log) => log.args.value), [44n])
  assert.deepEqual(await reader.getFilterChanges({ filter }), [])
  assert.equal(await reader.uninstallFilter({ filter }), true)
  assert.equal(await reader.uninstallFilter({ filter }), false)
})
test('getFilterLogs', async () => {
  const filter = await reader.createContractEventFilter({ abi, address, eventName: 'Noted', fromBlock: 0n })
  assert((await reader.getFilterLogs({ filter })).length >= 1)
})
test('createBlockFilter', async () => {
  const filter = await reader.createBlockFilter()
  await cheats.mine({ blocks: 2 })
  assert.equal((await reader.getFilterChanges({ filter })).length, 2)
})
test('createPendingTransactionFilter', async () => {
  const filter = await reader.createPendingTransactionFilter()
  const hash = await wallet.sendTransaction({ to: stranger, value: 1n })
  assert.deepEqual(await reader.getFilterChanges({ filter }), [hash])
})

// Subscriptions over WebSocket.
const live = createPublicClient({ chain: foundry, transport: webSocket(url.replace('http', 'ws')) })
// viem opens a socket again that is closed, so the process has to be ended.
after(() => setTimeout(() => process.exit(), 500).unref())
const watched = (name, start, act) => test(name, async () => {
  const seen = []
  const stop = start((item) => seen.push(item))
  // The subscription may begin after the first act.
  for (let tries = 0; seen.length === 0; tries++) {
    assert(tries < 20, 'nothing is told')
    await act()
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  stop()
})
watched('watchBlockNumber', (onBlockNumber) => live.watchBlockNumber({ onBlockNumber }), () => cheats.mine({ blocks: 1 }))
watched('watchBlocks', (onBlock) => live.watchBlocks({ onBlock }), () => cheats.mine({ blocks: 1 }))
watched('watchContractEvent', (onLogs) => live.watchContractEvent({ abi, address, onLogs }),
  () => wallet.writeContract({ abi, address, functionName: 'set', args: [45n] }))
watched('watchPendingTransactions', (onTransactions) => live.watchPendingTransactions({ onTransactions }),
  () => wallet.sendTransaction({ to: stranger, value: 1n }))

// Test actions.
test('mine with an interval', async () => {
  const before = await reader.getBlock()
  await cheats.mine({ blocks: 3, interval: 60 })
  const after = await reader.getBlock()
  assert.equal(after.number, before.number + 3n)
  assert(after.timestamp >= before.timestamp + 120n)
})
test('setBalance', async () => {
  await cheats.setBalance({ address: stranger, value: parseEther('2') })
  assert.equal(await reader.getBalance({ address: stranger }), parseEther('2'))
})
test('setCode', async () => {
  await cheats.setCode({ address: '0x00000000000000000000000000000000000000dd', bytecode: '0x6001' })
  assert.equal(await reader.getCode({ address: '0x00000000000000000000000000000000000000dd' }), '0x6001')
})
test('setNonce', async () => {
  await cheats.setNonce({ address: stranger, nonce: 7 })
  assert.equal(await reader.getTransactionCount({ address: stranger }), 7)
})
test('setStorageAt', async () => {
  await cheats.setStorageAt({ address, index: 0, value: `0x${'00'.repeat(31)}63` })
  assert.equal(await read('value'), 99n)
})
test('impersonateAccount', async () => {
  await cheats.setBalance({ address: stranger, value: parseEther('2') })
  await cheats.impersonateAccount({ address: stranger })
  const hash = await createWalletClient({ ...common, account: stranger }).sendTransaction({ to: address, value: 1n })
  assert.equal((await mined(hash)).from, stranger.toLowerCase())
  await cheats.stopImpersonatingAccount({ address: stranger })
  await assert.rejects(createWalletClient({ ...common, account: stranger }).sendTransaction({ to: address, value: 1n }))
})
test('snapshot and revert', async () => {
  const number = await reader.getBlockNumber({ cacheTime: 0 })
  const id = await cheats.snapshot()
  await cheats.mine({ blocks: 2 })
  await cheats.revert({ id })
  assert.equal(await reader.getBlockNumber({ cacheTime: 0 }), number)
})
test('increaseTime', async () => {
  const before = await reader.getBlock()
  await cheats.increaseTime({ seconds: 1000 })
  await cheats.mine({ blocks: 1 })
  assert((await reader.getBlock()).timestamp >= before.timestamp + 1000n)
})
test('setNextBlockTimestamp', async () => {
  const before = await reader.getBlock()
  await cheats.setNextBlockTimestamp({ timestamp: before.timestamp + 777n })
  await cheats.mine({ blocks: 1 })
  assert.equal((await reader.getBlock()).timestamp, before.timestamp + 777n)
})
test('setBlockTimestampInterval', async () => {
  await cheats.setBlockTimestampInterval({ interval: 100 })
  await cheats.mine({ blocks: 1 })
  const before = await reader.getBlock()
  await cheats.mine({ blocks: 1 })
  assert.equal((await reader.getBlock()).timestamp, before.timestamp + 100n)
  await cheats.removeBlockTimestampInterval()
})
test('setNextBlockBaseFeePerGas', async () => {
  await cheats.setNextBlockBaseFeePerGas({ baseFeePerGas: parseGwei('3') })
  await cheats.mine({ blocks: 1 })
  assert.equal((await reader.getBlock()).baseFeePerGas, parseGwei('3'))
})
test('setCoinbase', async () => {
  await cheats.setCoinbase({ address: stranger })
  await cheats.mine({ blocks: 1 })
  assert.equal((await reader.getBlock()).miner, stranger.toLowerCase())
})
test('setBlockGasLimit', async () => {
  await cheats.setBlockGasLimit({ gasLimit: 25_000_000n })
  await cheats.mine({ blocks: 1 })
  assert.equal((await reader.getBlock()).gasLimit, 25_000_000n)
  await cheats.setBlockGasLimit({ gasLimit: 30_000_000n })
})
test('getAutomine and setAutomine, the pool, dropTransaction', async () => {
  assert.equal(await cheats.getAutomine(), true)
  await cheats.setAutomine(false)
  const first = await wallet.sendTransaction({ to: stranger, value: 1n })
  const { pending } = await cheats.getTxpoolStatus()
  const content = await cheats.getTxpoolContent()
  const inspected = await cheats.inspectTxpool()
  await cheats.dropTransaction({ hash: first })
  const after = await cheats.getTxpoolStatus()
  await cheats.setAutomine(true)
  assert.equal(pending, 1)
  assert.equal(Object.keys(content.pending).length, 1)
  assert.equal(Object.keys(inspected.pending).length, 1)
  assert.equal(after.pending, 0)
})
test('setIntervalMining', async () => {
  await cheats.setIntervalMining({ interval: 1 })
  const before = await reader.getBlockNumber({ cacheTime: 0 })
  await new Promise((resolve) => setTimeout(resolve, 2500))
  await cheats.setIntervalMining({ interval: 0 })
  await cheats.setAutomine(true)
  assert(await reader.getBlockNumber({ cacheTime: 0 }) > before)
})
test('dumpState and loadState', async () => assert((await cheats.dumpState()).length > 10))
test('reset', async () => {
  const id = await cheats.snapshot()
  await cheats.setLoggingEnabled(false)
  await cheats.revert({ id })
})
test('setMinGasPrice under EIP-1559', () => assert.rejects(cheats.setMinGasPrice({ gasPrice: 1n })))
test('a text in calldata', async () => {
  const hash = await wallet.sendTransaction({ to: stranger, data: stringToHex('hello') })
  assert.equal((await reader.getTransaction({ hash })).input, stringToHex('hello'))
})
