// hardhat 3's network helpers, hardhat-ethers and Ignition against the node at NODE. PROBE is the init code of anvil-diff's
// Probe.sol.
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { network } from 'hardhat'
import { buildModule } from '@nomicfoundation/hardhat-ignition/modules'

const { ethers, ignition, networkHelpers: helpers, provider } = await network.create('remote')
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

test('getSigners', () => assert.notEqual(first.address, second.address))
test('a contract by another signer', async () => {
  await (await contract.connect(second).set(42n)).wait()
  assert.equal(await contract.value(), 42n)
})
test('a revert', () => assert.rejects(contract.refuse(), /refused with words/))
test('queryFilter', async () => {
  const [event] = await contract.queryFilter(contract.filters.Noted())
  assert.equal(event.args.by, second.address)
})
test('takeSnapshot and restore', async () => {
  const snapshot = await helpers.takeSnapshot()
  await (await contract.set(77n)).wait()
  await snapshot.restore()
  assert.notEqual(await contract.value(), 77n)
})
test('clearSnapshots', async () => {
  await helpers.takeSnapshot()
  helpers.clearSnapshots()
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
  const { mixHash } = await provider.request({ method: 'eth_getBlockByNumber', params: ['latest', false] })
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
  await provider.request({ method: 'evm_setAutomine', params: [false] })
  const sent = await second.sendTransaction({ to: address, value: 1n })
  try {
    await helpers.dropTransaction(sent.hash)
  } finally {
    await provider.request({ method: 'evm_setAutomine', params: [true] })
  }
  assert.equal(await ethers.provider.getTransaction(sent.hash), null)
})

// Ignition keeps a journal for each chain id, and would go on with the deployments of an earlier node.
rmSync('ignition', { recursive: true, force: true })
const artifact = {
  _format: 'hh3-artifact-1',
  contractName: 'Probe',
  sourceName: 'Probe.sol',
  abi: JSON.parse(ethers.Interface.from(abi).formatJson()),
  bytecode: process.env.PROBE.startsWith('0x') ? process.env.PROBE : `0x${process.env.PROBE}`,
  deployedBytecode: '0x',
  linkReferences: {},
  deployedLinkReferences: {},
}
test('Ignition: deploys, calls in order and reads an event', async () => {
  const { probe } = await ignition.deploy(buildModule('Ordered', (m) => {
    const probe = m.contract('Probe', artifact, [], { value: 5n })
    const set = m.call(probe, 'set', [9n])
    m.readEventArgument(set, 'Noted', 'value', { emitter: probe })
    m.call(probe, 'set', [10n], { id: 'again', after: [set] })
    return { probe }
  }))
  assert.equal(await probe.value(), 10n)
})
test('Ignition: deploys one contract for each of several', async () => {
  const several = await ignition.deploy(buildModule('Several', (m) => Object.fromEntries(
    Array.from({ length: 5 }, (_, i) => [`p${i}`, m.contract('Probe', artifact, [], { id: `p${i}`, value: 5n })]),
  )))
  const addresses = await Promise.all(Object.values(several).map((it) => it.getAddress()))
  assert.equal(new Set(addresses).size, 5)
})
test('Ignition: sends ether and refuses a call that reverts', async () => {
  const to = '0x00000000000000000000000000000000000000cd'
  await ignition.deploy(buildModule('Sends', (m) => {
    m.send('send', to, 3n)
    return {}
  }))
  assert.equal(await ethers.provider.getBalance(to), 3n)
  await assert.rejects(ignition.deploy(buildModule('Reverts', (m) => {
    m.call(m.contractAt('Probe', artifact, address), 'refuse')
    return {}
  })))
})
