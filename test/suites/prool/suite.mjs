// prool, the harness of viem's own tests: it starts a node for each worker, which meets it behind a proxy, and ends a node
// that writes a line to standard error; each later request of that worker waits for its timeout. COMMAND is the program
// of the node with its first arguments.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { Instance, Server } from 'prool'
import { createPublicClient, createTestClient, createWalletClient, http, publicActions, walletActions, webSocket } from 'viem'
import { mnemonicToAccount } from 'viem/accounts'
import { mainnet } from 'viem/chains'

const WORKERS = 4
const account = mnemonicToAccount('test test test test test test test test test test test junk')
const to = '0x000000000000000000000000000000000000bEEF'

const folder = mkdtempSync(join(tmpdir(), 'prool-'))
const binary = join(folder, 'node.sh')
const quoted = JSON.parse(process.env.COMMAND).map((word) => `'${word}'`).join(' ')
writeFileSync(binary, `#!/bin/sh\nexec ${quoted} "$@"\n`, { mode: 0o755 })

const port = await new Promise((resolve) => {
  const socket = createServer()
  socket.listen(0, '127.0.0.1', () => {
    const { port } = socket.address()
    socket.close(() => resolve(port))
  })
})
const instance = Instance.anvil({ binary, chainId: 1, hardfork: 'Prague', noMining: true })
const stop = await Server.create({ host: '127.0.0.1', instance, port }).start()

after(async () => {
  await stop()
  rmSync(folder, { recursive: true })
  setTimeout(() => process.exit(), 500).unref()
})

const url = (worker) => `http://127.0.0.1:${port}/${worker}`
// A request that waits for its timeout fails, and is not sent again.
const patience = { timeout: 5_000, retryCount: 0 }
const common = { account, chain: { ...mainnet, contracts: {} }, cacheTime: 0, pollingInterval: 50 }
const client = (worker) =>
  createTestClient({ ...common, mode: 'anvil', transport: http(url(worker), patience) }).extend(publicActions).extend(walletActions)
const workers = Array.from({ length: WORKERS }, (_, index) => index + 1)

async function paid(it, value) {
  const hash = await it.sendTransaction({ to, value })
  await it.mine({ blocks: 1 })
  return it.waitForTransactionReceipt({ hash })
}

test('each worker has a node of its own', async () => {
  await Promise.all(workers.map((worker) => client(worker).mine({ blocks: worker })))
  const heads = await Promise.all(workers.map((worker) => client(worker).getBlockNumber()))
  assert.deepEqual(heads, workers.map(BigInt))
})
test('workers send, mine and read receipts at once', async () => {
  await Promise.all(workers.map(async (worker) => {
    const it = client(worker)
    for (let value = 1n; value <= 10n; value++) assert.equal((await paid(it, value)).status, 'success')
    assert.equal(await it.getBalance({ address: to }), 55n)
  }))
})
test('a subscription reaches a worker through the proxy', async () => {
  const live = createPublicClient({ ...common, transport: webSocket(url(1).replace('http', 'ws'), patience) })
  const seen = new Promise((onBlockNumber, onError) => live.watchBlockNumber({ onBlockNumber, onError }))
  const mining = setInterval(() => client(1).mine({ blocks: 1 }), 200)
  try {
    assert(await seen > 0n)
  } finally {
    clearInterval(mining)
  }
  ;(await live.transport.getRpcClient()).close()
})
for (const [mistake, method, params] of [
  ['a call that halts', 'eth_call', [{ data: '0xfe' }]],
  ['a call of EXECUTE without an input', 'eth_call', [{ to: '0x0000000000000000000000000000000000000101', data: '0x1501' }]],
  ['a method that is not there', 'nothing_here', []],
  ['a block that is not there', 'eth_getBalance', [to, '0x99999']],
  ['a transaction without a sender', 'eth_sendTransaction', [{ from: to, to }]],
  ['bytes that are no transaction', 'eth_sendRawTransaction', ['0x00']],
  ['a trace of nothing', 'debug_traceTransaction', [`0x${'00'.repeat(32)}`]],
  ['a fork of a node that does not answer', 'anvil_reset', [{ forking: { jsonRpcUrl: 'http://127.0.0.1:1' } }]],
  ['a state that is none', 'anvil_loadState', ['0x1234']],
]) {
  test(`the node runs on after ${mistake}`, async () => {
    const it = client(2)
    await it.request({ method, params }).catch(() => {})
    assert.equal((await paid(it, 1n)).status, 'success')
  })
}
test('a node that is started again has a new chain', async () => {
  await client(3).mine({ blocks: 5 })
  assert((await fetch(`${url(3)}/restart`)).ok)
  assert.equal(await client(3).getBlockNumber(), 0n)
})
