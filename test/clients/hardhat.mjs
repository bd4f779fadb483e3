// hardhat's network on a devnet: its signers, its network helpers, and EXECUTE.
// Usage: node hardhat.mjs <http url> <ws url> <creation code> [<calldata of EXECUTE>]
import assert from 'node:assert/strict'

const [url, , bytecode, execute] = process.argv.slice(2)
process.env.DEVNET = url
const { default: hre } = await import('hardhat')
const helpers = (await import('@nomicfoundation/hardhat-network-helpers')).default
const { ethers } = hre

const abi = [
  'constructor() payable',
  'function set(uint256) payable',
  'function value() view returns (uint256)',
  'function refuse() pure',
  'event Noted(address indexed by, uint256 indexed value, uint256 other)',
]

// The node's own signers deploy, send and call.
const [first, second] = await ethers.getSigners()
assert.equal((await ethers.getSigners()).length, 10)
const contract = await new ethers.ContractFactory(abi, bytecode, first).deploy({ value: 5n })
await contract.waitForDeployment()
const address = await contract.getAddress()
await (await contract.connect(second).set(42n)).wait()
assert.equal(await contract.value(), 42n)
await assert.rejects(contract.refuse(), /refused with words/)
const logs = await contract.queryFilter(contract.filters.Noted(second.address))
assert.deepEqual(logs.map((log) => log.args.value), [42n])

// What hardhat's tests do to their node.
const snapshot = await helpers.takeSnapshot()
await helpers.setBalance(address, 77n)
assert.equal(await ethers.provider.getBalance(address), 77n)
await helpers.setStorageAt(address, 0, 43n)
await helpers.setNonce(second.address, 1000)
assert.equal(await ethers.provider.getTransactionCount(second.address), 1000)
await helpers.setCode('0x00000000000000000000000000000000000000bb', '0x00')
assert.equal(await ethers.provider.getCode('0x00000000000000000000000000000000000000bb'), '0x00')
const height = await helpers.time.latestBlock()
await helpers.mine(3, { interval: 60 })
assert.equal(await helpers.time.latestBlock(), height + 3)
const later = (await helpers.time.latest()) + 1000
await helpers.time.increaseTo(later)
assert.equal(await helpers.time.latest(), later)
await helpers.setNextBlockBaseFeePerGas(7_000_000_000n)
await helpers.mine()
assert.equal((await ethers.provider.getBlock('latest')).baseFeePerGas, 7_000_000_000n)
await helpers.setCoinbase(second.address)
await helpers.impersonateAccount(address)
const itself = await ethers.getSigner(address)
await helpers.setBalance(address, 10n ** 18n)
await (await itself.sendTransaction({ to: second.address, value: 1n })).wait()
await helpers.stopImpersonatingAccount(address)
await snapshot.restore()
assert.equal(await ethers.provider.getBalance(address), 5n)
assert.equal(await contract.value(), 42n)
assert.equal(await helpers.time.latestBlock(), height)

// EXECUTE.
if (execute) {
  const to = '0x0000000000000000000000000000000000000101'
  const gasLimit = 16_000_000n
  assert.equal((await ethers.provider.call({ to, data: execute, gasLimit })).length, 2 + 2 * 43)
  const run = await (await first.sendTransaction({ to, data: execute, gasLimit })).wait()
  assert.equal(run.status, 1)
}
console.log('hardhat: all is well')
process.exit(0)
