// viem's actions that wait: for receipts, replacements, blocks, logs and timeouts. The node at NODE mines only when it
// is told to, as the one of viem's own suite. PROBE is the init code of anvil-diff's Probe.sol.
import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import {
  WaitForTransactionReceiptTimeoutError, createNonceManager, createPublicClient, createTestClient, createWalletClient,
  http, parseAbi, parseEther, parseGwei, webSocket,
} from 'viem'
import { mnemonicToAccount } from 'viem/accounts'
import { mainnet } from 'viem/chains'
import { jsonRpc } from 'viem/nonce'

const { NODE: url, PROBE: bytecode } = process.env
const phrase = 'test test test test test test test test test test test junk'
const accountAt = (addressIndex, options) => mnemonicToAccount(phrase, { addressIndex, ...options })
const account = accountAt(0)
const chain = { ...mainnet, contracts: {} }
const common = { chain, transport: http(url), pollingInterval: 100, cacheTime: 0 }
const reader = createPublicClient(common)
const wallet = createWalletClient({ ...common, account })
const unlocked = createWalletClient({ ...common, account: accountAt(1).address })
const cheats = createTestClient({ ...common, mode: 'anvil' })
const live = createPublicClient({ ...common, transport: webSocket(url.replace('http', 'ws')) })
const abi = parseAbi([
  'constructor() payable',
  'function set(uint256) payable',
  'function value() view returns (uint256)',
  'function refuse() pure',
  'event Noted(address indexed by, uint256 indexed value, uint256 other)',
])
const to = '0x000000000000000000000000000000000000bEEF'
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const mine = (blocks = 1) => cheats.mine({ blocks })
const wait = (hash, options) => reader.waitForTransactionReceipt({ hash, ...options })
const nonceOf = (address) => reader.getTransactionCount({ address })

after(async () => {
  (await live.transport.getRpcClient()).close()
  // A wait that has timed out leaves its poll behind.
  setTimeout(() => process.exit(), 500).unref()
})
beforeEach(() => cheats.setIntervalMining({ interval: 0 }))

async function deployed() {
  const hash = await wallet.deployContract({ abi, bytecode })
  await mine()
  return (await wait(hash)).contractAddress
}

/** Waits until a condition holds. */
async function until(holds, what) {
  for (let tries = 0; tries < 300; tries++) {
    if (await holds()) return
    await pause(20)
  }
  assert.fail(`${what} did not come`)
}

test('a transaction waits until a block is mined', async () => {
  const hash = await wallet.sendTransaction({ to, value: 1n })
  assert.equal((await reader.getTransaction({ hash })).blockNumber, null)
  await assert.rejects(reader.getTransactionReceipt({ hash }), /could not be found/)
  assert.equal(await reader.getTransactionCount({ address: account.address, blockTag: 'pending' }), (await nonceOf(account.address)) + 1)
  await mine()
  assert.equal((await reader.getTransactionReceipt({ hash })).status, 'success')
})
test('a receipt that is there is answered at once', async () => {
  const hash = await wallet.sendTransaction({ to, value: 1n })
  await mine()
  assert.equal((await wait(hash)).status, 'success')
})
test('a receipt of a block that comes by the clock', async () => {
  await cheats.setIntervalMining({ interval: 1 })
  assert.equal((await wait(await wallet.sendTransaction({ to, value: 1n }))).status, 'success')
})
test('four waits for one receipt', async () => {
  const hash = await wallet.sendTransaction({ to, value: 1n })
  const waiting = Promise.all([1, 2, 3, 4].map(() => wait(hash)))
  await pause(150)
  await mine()
  const receipts = await waiting
  for (const receipt of receipts) assert.deepEqual(receipt, receipts[0])
})
test('three confirmations', async () => {
  const hash = await wallet.sendTransaction({ to, value: 1n })
  const waiting = wait(hash, { confirmations: 3 })
  for (let block = 0; block < 3; block++) {
    await pause(150)
    await mine()
  }
  assert.equal((await waiting).status, 'success')
})
for (const [reason, change] of [
  ['repriced', {}], ['replaced', { value: 2n }], ['replaced', { data: '0xdeadbeef' }], ['cancelled', { to: account.address, value: 0n }],
]) {
  test(`a transaction that is ${reason} (${Object.keys(change)})`, async () => {
    const nonce = await nonceOf(account.address)
    const hash = await wallet.sendTransaction({ to, value: 1n, nonce, maxFeePerGas: parseGwei('10') })
    let replacement
    const waiting = wait(hash, { onReplaced: (it) => { replacement = it } })
    await pause(250)
    await wallet.sendTransaction({ to, value: 1n, nonce, maxFeePerGas: parseGwei('20'), ...change })
    await mine()
    assert.equal((await waiting).status, 'success')
    assert.equal(replacement.reason, reason)
    assert.equal(replacement.replacedTransaction.hash, hash)
  })
}
test('a replacement that is not looked for is waited for in vain', async () => {
  const nonce = await nonceOf(account.address)
  const hash = await wallet.sendTransaction({ to, value: 1n, nonce, maxFeePerGas: parseGwei('10') })
  const waiting = assert.rejects(wait(hash, { checkReplacement: false, timeout: 1_000 }), WaitForTransactionReceiptTimeoutError)
  await wallet.sendTransaction({ to, value: 2n, nonce, maxFeePerGas: parseGwei('20') })
  await mine()
  await waiting
})
test('a dropped transaction is waited for in vain', async () => {
  const hash = await wallet.sendTransaction({ to, value: 1n })
  await cheats.dropTransaction({ hash })
  await mine()
  await assert.rejects(wait(hash, { timeout: 600 }), WaitForTransactionReceiptTimeoutError)
})
test('a thousand blocks while a receipt is waited for', async () => {
  const hash = await wallet.sendTransaction({ to, value: 1n })
  const waiting = wait(hash, { confirmations: 1000 })
  await mine(1000)
  assert.equal((await waiting).status, 'success')
})
test('a send that answers with the receipt', async () => {
  const waiting = wallet.sendTransactionSync({ to, value: 1n })
  await until(async () => (await cheats.getTxpoolStatus()).pending > 0, 'the transaction')
  await mine()
  assert.equal((await waiting).status, 'success')
})
test('ten sends at once with managed nonces', async () => {
  const managed = accountAt(2, { nonceManager: createNonceManager({ source: jsonRpc() }) })
  const many = createWalletClient({ ...common, account: managed })
  const hashes = await Promise.all(Array.from({ length: 10 }, () => many.sendTransaction({ to, value: 1n })))
  await mine()
  for (const receipt of await Promise.all(hashes.map((hash) => wait(hash)))) assert.equal(receipt.status, 'success')
})
test('calls that are sent one after the other, and their status', async () => {
  const { id } = await unlocked.sendCalls({
    account: accountAt(1).address, calls: [{ to, value: 1n }, { to, value: 2n }], experimental_fallback: true,
  })
  await mine()
  const { status, receipts } = await unlocked.waitForCallsStatus({ id, pollingInterval: 50 })
  assert.equal(status, 'success')
  assert.equal(receipts.length, 2)
})
test('a reverting call that is sent all the same has a receipt that says so', async () => {
  const address = await deployed()
  const hash = await wallet.writeContract({ abi, address, functionName: 'refuse', gas: 100_000n })
  await mine()
  assert.equal((await wait(hash)).status, 'reverted')
})
test('an impersonated sender', async () => {
  await cheats.setBalance({ address: to, value: parseEther('1') })
  await cheats.impersonateAccount({ address: to })
  const hash = await createWalletClient({ ...common, account: to }).sendTransaction({ to: account.address, value: 1n })
  await mine()
  assert.equal((await wait(hash)).from, to.toLowerCase())
  await cheats.stopImpersonatingAccount({ address: to })
})
test('a filter for pending transactions, and one for events', async () => {
  const address = await deployed()
  const [pending, events] = [
    await reader.createPendingTransactionFilter(), await reader.createContractEventFilter({ abi, address }),
  ]
  const hash = await wallet.writeContract({ abi, address, functionName: 'set', args: [1n] })
  await until(async () => (await reader.getFilterChanges({ filter: pending })).includes(hash), 'the transaction')
  assert.equal((await reader.getFilterChanges({ filter: events })).length, 0)
  await mine()
  assert.equal((await reader.getFilterChanges({ filter: events })).length, 1)
  assert(await reader.uninstallFilter({ filter: events }))
})
test('mining by the clock, automatically, and not at all', async () => {
  await cheats.setAutomine(true)
  assert.equal((await wait(await wallet.sendTransaction({ to, value: 1n }))).status, 'success')
  await cheats.setAutomine(false)
  const hash = await wallet.sendTransaction({ to, value: 1n })
  await pause(200)
  await assert.rejects(reader.getTransactionReceipt({ hash }), /could not be found/)
  await cheats.setIntervalMining({ interval: 1 })
  assert.equal((await wait(hash)).status, 'success')
})
test('going back leaves no receipt', async () => {
  const id = await cheats.snapshot()
  const hash = await wallet.sendTransaction({ to, value: 1n })
  await mine()
  await wait(hash)
  await cheats.revert({ id })
  await assert.rejects(reader.getTransactionReceipt({ hash }), /could not be found/)
})

// Watchers, by polling and over a WebSocket.
for (const [way, client, poll] of [['polling', reader, true], ['a subscription', live, undefined]]) {
  const watched = (name, start, act, enough = 1) => test(`${name} by ${way}`, async () => {
    const seen = []
    const stop = start((...values) => seen.push(values))
    // What happens before the subscription is there is not told: it happens again.
    await until(async () => {
      await pause(250)
      if (seen.length < enough) await act()
      return seen.length >= enough
    }, 'what was watched')
    stop()
  })
  watched('watchBlockNumber', (onBlockNumber) => client.watchBlockNumber({ onBlockNumber, poll }), () => mine(), 2)
  watched('watchBlocks', (onBlock) => client.watchBlocks({ onBlock, poll, includeTransactions: true }), () => mine())
  watched('watchBlocks from the first on', (onBlock) => client.watchBlocks({ onBlock, poll, emitOnBegin: true }), () => {})
  watched('watchPendingTransactions', (onTransactions) => client.watchPendingTransactions({ onTransactions, poll }),
    () => wallet.sendTransaction({ to, value: 1n }))
  test(`watchContractEvent by ${way}`, async () => {
    const address = await deployed()
    const logs = []
    const stop = client.watchContractEvent({ abi, address, onLogs: (more) => logs.push(...more), poll })
    await pause(250)
    for (const value of [1n, 2n]) await wallet.writeContract({ abi, address, functionName: 'set', args: [value] })
    await mine()
    await until(() => logs.length === 2, 'the logs')
    stop()
  })
}
test('watchBlocks tells those that were missed', async () => {
  const seen = []
  const stop = reader.watchBlocks({ onBlock: (block) => seen.push(block.number), emitMissed: true, emitOnBegin: true, poll: true })
  await until(() => seen.length > 0, 'the first block')
  await mine(5)
  await until(() => seen.length >= 6, 'the missed blocks')
  stop()
  assert.deepEqual(seen, Array.from(seen, (_, index) => seen[0] + BigInt(index)))
})
test('fifty requests at once over HTTP, in batches, and over a WebSocket', async () => {
  const batched = createPublicClient({ ...common, transport: http(url, { batch: true }) })
  for (const client of [reader, batched, live]) {
    const balances = await Promise.all(Array.from({ length: 50 }, () => client.getBalance({ address: account.address })))
    assert.equal(new Set(balances).size, 1)
  }
})
