// hardhat's network helpers and hardhat-ethers against the node at NODE. PROBE is the init code of anvil-diff's Probe.sol.
import assert from 'node:assert/strict'
import { test } from 'node:test'

process.env.DEVNET = process.env.NODE
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
const [first, second] = await ethers.getSigners()
const deploy = async () => {
  const contract = await new ethers.ContractFactory(abi, process.env.PROBE, first).deploy({ value: 5n })
  await contract.waitForDeployment()
  return contract
}
const contract = await deploy()
const address = await contract.getAddress()
const block = () => ethers.provider.getBlock('latest')

test('getSigners', async () => assert.equal((await ethers.getSigners()).length, 10))
test('getImpersonatedSigner', async () => {
  const signer = await ethers.getImpersonatedSigner('0x000000000000000000000000000000000000bEEF')
  await helpers.setBalance(signer.address, 10n ** 18n)
  assert.equal((await (await signer.sendTransaction({ to: address, value: 1n })).wait()).status, 1)
})
test('a contract by another signer', async () => {
  await (await contract.connect(second).set(42n)).wait()
  assert.equal(await contract.value(), 42n)
})
test('a revert', () => assert.rejects(contract.refuse(), /refused with words/))
test('takeSnapshot and restore', async () => {
  const snapshot = await helpers.takeSnapshot()
  await (await contract.set(77n)).wait()
  await snapshot.restore()
  assert.notEqual(await contract.value(), 77n)
})
test('loadFixture, twice', async () => {
  const before = await (await helpers.loadFixture(deploy)).getAddress()
  await (await contract.set(78n)).wait()
  assert.equal(await (await helpers.loadFixture(deploy)).getAddress(), before)
})
test('setBalance', async () => {
  await helpers.setBalance('0x00000000000000000000000000000000000000aa', 77n)
  assert.equal(await ethers.provider.getBalance('0x00000000000000000000000000000000000000aa'), 77n)
})
test('setStorageAt and getStorageAt', async () => {
  await helpers.setStorageAt(address, 0, 43n)
  assert.equal(BigInt(await helpers.getStorageAt(address, 0)), 43n)
})
test('setNonce', async () => {
  await helpers.setNonce('0x00000000000000000000000000000000000000ab', 1000)
  assert.equal(await ethers.provider.getTransactionCount('0x00000000000000000000000000000000000000ab'), 1000)
})
test('setCode', async () => {
  await helpers.setCode('0x00000000000000000000000000000000000000bb', '0x00')
  assert.equal(await ethers.provider.getCode('0x00000000000000000000000000000000000000bb'), '0x00')
})
test('mine with an interval', async () => {
  const height = await helpers.time.latestBlock()
  await helpers.mine(3, { interval: 60 })
  assert.equal(await helpers.time.latestBlock(), height + 3)
})
test('mineUpTo', async () => {
  const height = await helpers.time.latestBlock()
  await helpers.mineUpTo(height + 5)
  assert.equal(await helpers.time.latestBlock(), height + 5)
})
test('time.increase', async () => {
  const before = await helpers.time.latest()
  assert(await helpers.time.increase(500) >= before + 500)
})
test('time.increaseTo', async () => {
  const later = (await helpers.time.latest()) + 1000
  await helpers.time.increaseTo(later)
  assert.equal(await helpers.time.latest(), later)
})
test('time.setNextBlockTimestamp', async () => {
  const later = (await helpers.time.latest()) + 2000
  await helpers.time.setNextBlockTimestamp(later)
  await (await contract.set(1n)).wait()
  assert.equal(await helpers.time.latest(), later)
})
test('setNextBlockBaseFeePerGas', async () => {
  await helpers.setNextBlockBaseFeePerGas(7_000_000_000n)
  await helpers.mine()
  assert.equal((await block()).baseFeePerGas, 7_000_000_000n)
})
test('setCoinbase', async () => {
  await helpers.setCoinbase(second.address)
  await helpers.mine()
  assert.equal((await block()).miner, second.address)
})
test('setPrevRandao', async () => {
  await helpers.setPrevRandao(12345)
  await helpers.mine()
  const { mixHash } = await ethers.provider.send('eth_getBlockByNumber', ['latest', false])
  assert.equal(BigInt(mixHash), 12345n)
})
test('setBlockGasLimit', async () => {
  await helpers.setBlockGasLimit(25_000_000)
  await helpers.mine()
  assert.equal((await block()).gasLimit, 25_000_000n)
})
test('impersonateAccount', async () => {
  await helpers.impersonateAccount(address)
  await helpers.setBalance(address, 10n ** 18n)
  const itself = await ethers.getSigner(address)
  assert.equal((await (await itself.sendTransaction({ to: second.address, value: 1n })).wait()).from, address)
  await helpers.stopImpersonatingAccount(address)
})
test('dropTransaction', async () => {
  await ethers.provider.send('evm_setAutomine', [false])
  const sent = await second.sendTransaction({ to: address, value: 1n })
  await helpers.dropTransaction(sent.hash)
  await ethers.provider.send('evm_setAutomine', [true])
  assert.equal(await ethers.provider.getTransaction(sent.hash), null)
})
test('reset', async () => {
  await helpers.reset()
  assert.equal(await helpers.time.latestBlock(), 0)
})
