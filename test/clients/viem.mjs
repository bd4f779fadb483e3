// viem against a devnet: deploy, send, call, logs, filters, subscriptions, and EXECUTE.
// Usage: node viem.mjs <http url> <ws url> <creation code> [<calldata of EXECUTE>]
import assert from 'node:assert/strict'
import {
  createPublicClient, createTestClient, createWalletClient, encodeFunctionData, http, parseAbi,
  parseEther, webSocket,
} from 'viem'
import { mnemonicToAccount } from 'viem/accounts'
import { foundry } from 'viem/chains'

const [url, ws, bytecode, execute] = process.argv.slice(2)
const account = mnemonicToAccount('test test test test test test test test test test test junk')
const common = { chain: foundry, transport: http(url) }
const reader = createPublicClient(common)
const wallet = createWalletClient({ ...common, account })
const cheats = createTestClient({ ...common, mode: 'anvil' })
const abi = parseAbi([
  'constructor() payable',
  'function set(uint256) payable',
  'function value() view returns (uint256)',
  'function refuseCustom(uint256) view',
  'event Noted(address indexed by, uint256 indexed value, uint256 other)',
  'error Refused(address by, uint256 value)',
])

// Deploy, send, call.
const deployed = await reader.waitForTransactionReceipt({
  hash: await wallet.deployContract({ abi, bytecode, value: 5n }),
})
assert.equal(deployed.status, 'success')
const address = deployed.contractAddress
assert.equal(await reader.getBalance({ address }), 5n)
const filter = await reader.createContractEventFilter({ abi, address, eventName: 'Noted' })
const sent = await reader.waitForTransactionReceipt({
  hash: await wallet.writeContract({ abi, address, functionName: 'set', args: [42n] }),
})
assert.equal(sent.logs.length, 1)
assert.equal(await reader.readContract({ abi, address, functionName: 'value' }), 42n)
await assert.rejects(
  reader.readContract({ abi, address, functionName: 'refuseCustom', args: [7n] }),
  /Refused\(address by, uint256 value\)/,
)
const transfer = await wallet.sendTransaction({
  to: '0x00000000000000000000000000000000000000aa', value: parseEther('1'),
})
const transaction = await reader.getTransaction({ hash: transfer })
assert.equal(transaction.type, 'eip1559')

// Logs and filters.
const logs = await reader.getContractEvents({ abi, address, eventName: 'Noted', fromBlock: 0n })
assert.deepEqual(logs.map((log) => log.args.value), [42n])
const changes = await reader.getFilterChanges({ filter })
assert.deepEqual(changes.map((log) => log.args.value), [42n])
assert.equal(await reader.uninstallFilter({ filter }), true)

// Subscriptions.
const live = createPublicClient({ chain: foundry, transport: webSocket(ws) })
const seen = { blocks: [], logs: [], pending: [] }
const stops = [
  live.watchBlockNumber({ onBlockNumber: (number) => seen.blocks.push(number) }),
  live.watchContractEvent({ abi, address, eventName: 'Noted', onLogs: (l) => seen.logs.push(...l) }),
  live.watchPendingTransactions({ onTransactions: (hashes) => seen.pending.push(...hashes) }),
]
const waitFor = async (what, ready) => {
  for (let tries = 0; !ready(); tries++) {
    assert(tries < 400, `no ${what} within 20 s`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
// The subscriptions stand when the first block is told.
for (let tries = 0; seen.blocks.length === 0; tries++) {
  assert(tries < 100, 'no block is told')
  await cheats.mine({ blocks: 1 })
  await new Promise((resolve) => setTimeout(resolve, 100))
}
const hash = await wallet.writeContract({ abi, address, functionName: 'set', args: [43n] })
await waitFor('log', () => seen.logs.some((log) => log.args.value === 43n))
await waitFor('pending transaction', () => seen.pending.includes(hash))
stops.forEach((stop) => stop())

// Cheats, by the names that viem gives them.
const stranger = '0x000000000000000000000000000000000000beef'
await cheats.setBalance({ address: stranger, value: parseEther('2') })
await cheats.impersonateAccount({ address: stranger })
const posed = createWalletClient({ ...common, account: stranger })
const posedHash = await posed.sendTransaction({ to: address, value: 1n })
assert.equal((await reader.getTransactionReceipt({ hash: posedHash })).from, stranger)
const snapshot = await cheats.snapshot()
await cheats.setStorageAt({ address, index: 0, value: `0x${'00'.repeat(31)}63` })
assert.equal(await reader.readContract({ abi, address, functionName: 'value' }), 99n)
await cheats.revert({ id: snapshot })
assert.equal(await reader.readContract({ abi, address, functionName: 'value' }), 43n)
const before = await reader.getBlock()
await cheats.setNextBlockTimestamp({ timestamp: before.timestamp + 1000n })
await cheats.mine({ blocks: 1 })
assert.equal((await reader.getBlock()).timestamp, before.timestamp + 1000n)

// EXECUTE, by a call and by a transaction.
if (execute) {
  const to = '0x0000000000000000000000000000000000000101'
  const { data } = await reader.call({ to, data: execute, gas: 16_000_000n })
  assert.equal(data.length, 2 + 2 * 43)
  const run = await reader.waitForTransactionReceipt({
    hash: await wallet.sendTransaction({ to, data: execute, gas: 16_000_000n }),
  })
  assert.equal(run.status, 'success')
}
assert.ok(encodeFunctionData({ abi, functionName: 'value' }))
console.log('viem: all is well')
process.exit(0)
