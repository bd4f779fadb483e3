// ethers against a devnet: deploy, send, call, logs, filters, subscriptions, and EXECUTE.
// Usage: node ethers.mjs <http url> <ws url> <creation code> [<calldata of EXECUTE>]
import assert from 'node:assert/strict'
import {
  Contract, ContractFactory, HDNodeWallet, JsonRpcProvider, NonceManager, WebSocketProvider,
  parseEther,
} from 'ethers'

const [url, ws, bytecode, execute] = process.argv.slice(2)
const provider = new JsonRpcProvider(url)
const phrase = 'test test test test test test test test test test test junk'
// Another account than viem's, so that the two can share a node.
const wallet = HDNodeWallet.fromPhrase(phrase, undefined, "m/44'/60'/0'/0/1").connect(provider)
const signer = new NonceManager(wallet)
const abi = [
  'constructor() payable',
  'function set(uint256) payable',
  'function value() view returns (uint256)',
  'function refuse() pure',
  'function refuseCustom(uint256) view',
  'event Noted(address indexed by, uint256 indexed value, uint256 other)',
  'error Refused(address by, uint256 value)',
]

// Deploy, send, call.
const contract = await new ContractFactory(abi, bytecode, signer).deploy({ value: 5n })
await contract.waitForDeployment()
const address = await contract.getAddress()
assert.equal(await provider.getBalance(address), 5n)
const receipt = await (await contract.set(42n)).wait()
assert.equal(receipt.status, 1)
assert.equal(await contract.value(), 42n)
await assert.rejects(contract.refuse(), { code: 'CALL_EXCEPTION', reason: 'refused with words' })
await assert.rejects(contract.refuseCustom(7n), (error) => error.revert?.name === 'Refused')
await (await signer.sendTransaction({ to: wallet.address, value: parseEther('1') })).wait()

// Logs.
const logs = await contract.queryFilter(contract.filters.Noted(wallet.address))
assert.deepEqual(logs.map((log) => log.args.value), [42n])

// Many requests at once go out as one batch.
const numbers = await Promise.all(Array.from({ length: 50 }, () => provider.getBlockNumber()))
assert.equal(new Set(numbers).size, 1)

// The node's own signers, and raw methods.
const own = await provider.getSigner(2)
await (await own.sendTransaction({ to: address, value: 1n })).wait()
assert.ok((await provider.send('eth_accounts', [])).length >= 10)
const signature = await own.signMessage('hello')
assert.equal(signature.length, 132)

// Subscriptions.
const live = new WebSocketProvider(ws)
const heads = []
const noted = []
await live.on('block', (number) => heads.push(number))
await new Contract(address, abi, live).on('Noted', (_, value) => noted.push(value))
for (let tries = 0; heads.length === 0; tries++) {
  assert(tries < 100, 'no block is told')
  await provider.send('evm_mine', [])
  await new Promise((resolve) => setTimeout(resolve, 100))
}
await (await contract.set(43n)).wait()
for (let tries = 0; !noted.includes(43n); tries++) {
  assert(tries < 400, 'no log is told')
  await new Promise((resolve) => setTimeout(resolve, 50))
}

// EXECUTE.
if (execute) {
  const to = '0x0000000000000000000000000000000000000101'
  const gasLimit = 16_000_000n
  assert.equal((await provider.call({ to, data: execute, gasLimit })).length, 2 + 2 * 43)
  const run = await (await signer.sendTransaction({ to, data: execute, gasLimit })).wait()
  assert.equal(run.status, 1)
}
console.log('ethers: all is well')
process.exit(0)
