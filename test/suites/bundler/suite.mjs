// A bundler of ERC-4337 (alto) in front of the node at NODE: it estimates, simulates and sends operations of accounts of
// EntryPoint 0.7.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { after, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { concat, createPublicClient, createWalletClient, encodeFunctionData, http, parseEther, toHex } from 'viem'
import { getUserOperationHash } from 'viem/account-abstraction'
import { mnemonicToAccount } from 'viem/accounts'

const url = process.env.NODE
const MNEMONIC = 'test test test test test test test test test test test junk'
const account = (addressIndex) => mnemonicToAccount(MNEMONIC, { addressIndex })
const key = (addressIndex) => toHex(account(addressIndex).getHdKey().privateKey)
const [deployer, owner, stranger] = [account(0), account(1), account(2)]
const client = createPublicClient({ transport: http(url), pollingInterval: 100 })
const id = await client.getChainId()
const chain = { id, name: 'node', nativeCurrency: { name: 'ether', symbol: 'ETH', decimals: 18 }, rpcUrls: { default: { http: [url] } } }
const wallet = createWalletClient({ account: deployer, chain, transport: http(url) })

const artifact = (name) =>
  JSON.parse(readFileSync(`node_modules/@account-abstraction/contracts/artifacts/${name}.json`, 'utf8'))
const deploy = async (name, args) => {
  const { abi, bytecode } = artifact(name)
  const hash = await wallet.deployContract({ abi, bytecode, args })
  return (await client.waitForTransactionReceipt({ hash })).contractAddress
}
const entryPoint = await deploy('EntryPoint', [])
const factory = await deploy('SimpleAccountFactory', [entryPoint])
const { abi: factoryAbi } = artifact('SimpleAccountFactory')
const { abi: accountAbi } = artifact('SimpleAccount')
const { abi: entryAbi } = artifact('EntryPoint')

/** Starts the bundler, and returns a client of its JSON-RPC. */
const port = await new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address()
    server.close(() => resolve(port))
  })
})
const bundler = spawn(process.execPath, [
  'node_modules/@pimlico/alto/esm/cli/alto.js',
  '--entrypoints', entryPoint, '--rpc-url', url, '--port', String(port), '--safe-mode', 'false',
  '--executor-private-keys', key(8), '--utility-private-key', key(9), '--min-entity-stake', '1',
  '--log-level', 'error', '--refilling-wallets', 'false',
], { stdio: ['ignore', 'ignore', 'inherit'] })
after(() => bundler.kill())
const ask = async (method, ...params) => {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
  const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const { result, error } = await response.json()
  if (error) throw new Error(`${error.code}: ${error.message}`)
  return result
}
const until = async (attempt) => {
  for (let left = 600; ; left--) {
    const found = await attempt().catch((error) => { if (!left) throw error })
    if (found || !left) return found
    await pause(100)
  }
}
await until(() => ask('eth_chainId'))

// It recovers to an address, which no account has as its owner.
const STUB = `0x${'f'.repeat(31)}${'0'.repeat(33)}7${'a'.repeat(63)}1c`
/** Returns the address of the smart account with this salt, which holds an ether. */
const smartAccount = async (salt, balance = parseEther('1')) => {
  const address = await client.readContract({ address: factory, abi: factoryAbi, functionName: 'getAddress', args: [owner.address, salt] })
  if (balance) await client.waitForTransactionReceipt({ hash: await wallet.sendTransaction({ to: address, value: balance }) })
  return address
}
/** Returns an operation that sends `value` to `to`, and creates the account if it does not exist. */
const operation = async (sender, salt, to, value) => {
  const exists = await client.getCode({ address: sender })
  const nonce = await client.readContract({ address: entryPoint, abi: entryAbi, functionName: 'getNonce', args: [sender, 0n] })
  const create = encodeFunctionData({ abi: factoryAbi, functionName: 'createAccount', args: [owner.address, salt] })
  const { maxFeePerGas, maxPriorityFeePerGas } = await client.estimateFeesPerGas()
  return {
    sender, nonce, ...(exists ? {} : { factory, factoryData: create }),
    callData: encodeFunctionData({ abi: accountAbi, functionName: 'execute', args: [to, value, '0x'] }),
    maxFeePerGas: maxFeePerGas * 2n, maxPriorityFeePerGas: maxPriorityFeePerGas * 2n,
    signature: STUB, callGasLimit: 0n, verificationGasLimit: 0n, preVerificationGas: 0n,
  }
}
const rpc = (op) => Object.fromEntries(Object.entries(op).map(([name, value]) => [name, typeof value === 'bigint' ? toHex(value) : value]))
const estimated = async (op) => {
  const gas = await ask('eth_estimateUserOperationGas', rpc(op), entryPoint)
  const limits = ['callGasLimit', 'verificationGasLimit', 'preVerificationGas'].map((name) => [name, BigInt(gas[name])])
  return { ...op, ...Object.fromEntries(limits) }
}
const signed = async (op, by = owner) => {
  const userOperation = { ...op, signature: '0x' }
  const hash = getUserOperationHash({ chainId: id, entryPointAddress: entryPoint, entryPointVersion: '0.7', userOperation })
  return { ...op, signature: await by.signMessage({ message: { raw: hash } }) }
}
const send = async (op) => ask('eth_sendUserOperation', rpc(op), entryPoint)
const receipt = (hash) => until(() => ask('eth_getUserOperationReceipt', hash))
const balance = (address) => client.getBalance({ address })

test('eth_supportedEntryPoints', async () => {
  const supported = await ask('eth_supportedEntryPoints')
  assert.deepEqual(supported.map((it) => it.toLowerCase()), [entryPoint.toLowerCase()])
})
test('eth_estimateUserOperationGas of an account to be created', async () => {
  const op = await estimated(await operation(await smartAccount(1n), 1n, stranger.address, 1n))
  assert(op.callGasLimit > 0n && op.verificationGasLimit > 100_000n)
})
test('an operation creates its account and calls', async () => {
  const to = '0x00000000000000000000000000000000000000e1'
  const sender = await smartAccount(2n)
  const hash = await send(await signed(await estimated(await operation(sender, 2n, to, 5n))))
  const { success, receipt: { transactionHash } } = await receipt(hash)
  assert.equal(success, true)
  assert.equal(await balance(to), 5n)
  assert.equal((await client.getTransactionReceipt({ hash: transactionHash })).status, 'success')
  assert.equal((await ask('eth_getUserOperationByHash', hash)).userOperation.sender.toLowerCase(), sender.toLowerCase())
})
test('a second operation of the same account', async () => {
  const to = '0x00000000000000000000000000000000000000e2'
  const sender = await smartAccount(3n)
  for (const value of [1n, 2n]) {
    const hash = await send(await signed(await estimated(await operation(sender, 3n, to, value))))
    assert.equal((await receipt(hash)).success, true)
  }
  assert.equal(await balance(to), 3n)
})
test('operations of several accounts at once', async () => {
  const to = '0x00000000000000000000000000000000000000e3'
  const salts = [4n, 5n, 6n, 7n]
  const hashes = []
  for (const salt of salts) {
    hashes.push(await signed(await estimated(await operation(await smartAccount(salt), salt, to, 1n))))
  }
  const receipts = await Promise.all((await Promise.all(hashes.map(send))).map(receipt))
  assert(receipts.every((it) => it.success))
  assert.equal(await balance(to), 4n)
})
test('a call that reverts is an operation that failed', async () => {
  const sender = await smartAccount(8n)
  const op = await operation(sender, 8n, stranger.address, parseEther('50'))
  await assert.rejects(estimated(op), /reverted/i)
})
test('an operation that another account signed is refused', async () => {
  const op = await estimated(await operation(await smartAccount(9n), 9n, stranger.address, 1n))
  await assert.rejects(signed(op, stranger).then(send), /AA24|signature/i)
})
test('an operation that cannot pay is refused', async () => {
  const op = await operation(await smartAccount(10n, 0n), 10n, stranger.address, 0n)
  const limits = { callGasLimit: 100_000n, verificationGasLimit: 500_000n, preVerificationGas: 100_000n }
  await assert.rejects(signed({ ...op, ...limits }).then(send), /AA21|prefund/i)
})
