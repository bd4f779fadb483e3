// Nodes that lie: each lie is refused with its error, and no transaction is sent. The last tests
// are the accepted neighbours: the same calls by the same proxies, which tell the truth.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import {
  AlreadyClaimedError,
  BlockEventMissingError,
  buildClaim,
  claimWithdrawal,
  depositToken,
  depositTransaction,
  forceTransaction,
  getHead,
  getWithdrawals,
  hashHeader,
  initiateTokenWithdrawal,
  initiateWithdrawal,
  ProofMismatchError,
  registerToken,
  StateRootExpiredError,
  verifyAccount,
  verifyHeader,
  waitToClaim,
  WithdrawalNotReadyError,
  WrongChainError,
  WrongRollupError,
} from '@enshrine/viem'
import {
  decodeFunctionData,
  encodeErrorResult,
  encodeFunctionData,
  erc20Abi,
  numberToHex,
  toFunctionSelector,
  toFunctionSignature,
} from 'viem'
import {
  getBlock,
  getBlockNumber,
  getTransactionReceipt,
  waitForTransactionReceipt,
} from 'viem/actions'
import { claimsAbi } from '../../dist/abis/claims.js'
import { rollupAbi } from '../../dist/abis/rollup.js'
import { sentSlot } from '../../dist/utils/message.js'
import { l1, l2, net, rollup } from '../support/localnet.js'
import { startProxy } from '../support/proxy.js'

const proxies = { l1: await startProxy(net.l1Url), l2: await startProxy(net.l2Url) }
after(() => Promise.all([proxies.l1.stop(), proxies.l2.stop()]))
const l1Client = l1(7, proxies.l1.url)
const l2Client = l2(7, proxies.l2.url)

/** Runs with lying nodes, and returns what was sent meanwhile. */
async function lying(lies, run) {
  const sent = () => proxies.l1.sent() + proxies.l2.sent()
  const before = sent()
  for (const [name, proxy] of Object.entries(proxies)) proxy.lie(lies[name] ?? {})
  try {
    await run()
  } finally {
    for (const proxy of Object.values(proxies)) proxy.lie({})
  }
  return sent() - before
}

/** Sends two withdrawals without lies, and waits until the second can be claimed. */
async function withdraw() {
  const client = l2(7)
  const messages = []
  for (const value of [11n, 22n]) {
    const hash = await initiateWithdrawal(client, { rollup, value })
    const receipt = await waitForTransactionReceipt(client, { hash })
    const [message] = await getWithdrawals(client, { rollup, receipt })
    messages.push({ ...message, hash })
  }
  await waitToClaim(l1(), { rollup, l2Block: messages[1].l2Block })
  const [{ hash: _, ...other }, { hash, ...message }] = messages
  return { other, message, hash }
}

const { other, message, hash } = await withdraw()
const claim = { rollup, l2Client, message }
const selector = (signature) => toFunctionSelector(`function ${signature}`)

/** Answers of a method, changed. */
const answering = (method, change) => ({
  answer: (called, params, result) => (called === method ? change(result, params) : undefined),
})
/** Answers of calls of a function of a contract, changed. */
const returning = (signature, change) =>
  answering('eth_call', (result, [call]) =>
    (call.data ?? call.input).startsWith(selector(signature)) ? change(result) : undefined,
  )
/** Requests of a method with other params. */
const asking = (method, change) => ({
  request: (called, params) => (called === method ? change(structuredClone(params)) : undefined),
})

const flipped = (hex) => `${hex.slice(0, -1)}${hex.endsWith('0') ? '1' : '0'}`
const word = (number) => numberToHex(number, { size: 32 })
const truncated = (result, key) => {
  result[key].pop()
  return result
}
const mismatch = (at) => (error) => error instanceof ProofMismatchError && error.at === at
const chainIs = (layer) => (error) =>
  error instanceof WrongChainError && error.message.includes(layer)
const differs = (what) => (error) => error instanceof WrongRollupError && error.what === what
const wrongChain = answering('eth_chainId', () => '0x1')
/** The revert of L1 for a block whose state root it no longer stores. */
const expired = {
  failing: (method, [call]) =>
    method === 'eth_call' && call.data.startsWith(selector('stateRootAt(uint64)'))
      ? {
          code: 3,
          message: 'execution reverted',
          data: encodeErrorResult({
            abi: rollupAbi,
            errorName: 'StateRootUnavailable',
            args: [message.l2Block, 100_000n],
          }),
        }
      : undefined,
}
const elsewhere = (name) => ({
  ...rollup,
  contracts: { ...rollup.contracts, [name]: '0x00000000000000000000000000000000000a11ce' },
})
const claiming =
  (change = {}) =>
  () =>
    claimWithdrawal(l1Client, { ...claim, ...change })

/** Says the right chain once, and another one from then on. */
function changing() {
  let calls = 0
  return answering('eth_chainId', () => {
    calls += 1
    return calls > 1 ? '0x1' : undefined
  })
}

const CLAIM = toFunctionSignature(claimsAbi.find(({ name }) => name === 'claim'))

/** Returns the arguments of an honest claim with another proof. */
function changedProof(change) {
  const [of, proof, recipient] = decodeFunctionData({ abi: claimsAbi, data: honest.data }).args
  return [of, change(proof), recipient]
}

/** A call of `claim` for a message, proven by the honest node. */
const honest = await buildClaim(l1(7), { rollup, l2Client: l2(), message })
const honestOther = await buildClaim(l1(7), { rollup, l2Client: l2(), message: other })
const ofNode = (call) => ({
  instead: (method) => (method === 'rollup_claimProof' ? call : undefined),
})
const approve = encodeFunctionData({
  abi: erc20Abi,
  functionName: 'approve',
  args: [net.accounts[0].address, 1n],
})
const refund = honest.data.replace(selector(CLAIM), selector(CLAIM.replace('claim', 'refund')))
const wrongRoot = encodeFunctionData({
  abi: claimsAbi,
  functionName: 'claim',
  args: changedProof((proof) => ({ ...proof, storageRoot: word(1n) })),
})
const shortProof = encodeFunctionData({
  abi: claimsAbi,
  functionName: 'claim',
  args: changedProof((proof) => ({ ...proof, storageProof: proof.storageProof.slice(0, -1) })),
})
const source = 'node'
const to = rollup.contracts.messageQueue
const deposit = { rollup, value: 1n }
// A key of the node. With a key of the client, the chain is part of what is signed.
const account = net.accounts[7].address
const isChainMismatch = (error) => error.walk((it) => it.name === 'ChainMismatchError') !== null
const serializedTransaction = await l2(7).account.signTransaction({
  chainId: Number(net.l2ChainId),
  type: 'eip1559',
  to: net.accounts[0].address,
  gas: 42_000n,
  maxFeePerGas: 8n * 10n ** 9n,
  maxPriorityFeePerGas: 1n,
  nonce: 1_000,
})

/** Answers of L1 at one of its blocks, so that the head stays the same; without events. */
const l1Block = await getBlockNumber(l1())
const { number: pinnedHead } = await getHead(l1(), { rollup })
const pinned = asking('eth_call', ([call]) => [call, numberToHex(l1Block)])
const withoutEvents = { instead: (method) => (method === 'eth_getLogs' ? [] : undefined) }
const headParams = [numberToHex(pinnedHead), false]
const second = await getBlock(l2(), { blockNumber: 2n })

/** Name, lies, call, and the error that refuses it. */
const LIES = [
  [
    'state root of L1',
    { l1: returning('stateRootAt(uint64)', flipped) },
    claiming(),
    mismatch('account'),
  ],
  [
    'stale state',
    { l2: asking('eth_getProof', ([a, b]) => [a, b, '0x1']) },
    claiming(),
    mismatch('account'),
  ],
  [
    'truncated account proof',
    { l2: answering('eth_getProof', (it) => truncated(it, 'accountProof')) },
    claiming(),
    mismatch('account'),
  ],
  [
    'changed account proof',
    {
      l2: answering('eth_getProof', (it) => ({
        ...it,
        accountProof: it.accountProof.map(flipped),
      })),
    },
    claiming(),
    mismatch('account'),
  ],
  [
    'longer account proof',
    {
      l2: answering('eth_getProof', (it) => ({
        ...it,
        accountProof: [...it.accountProof, '0xc0'],
      })),
    },
    claiming(),
    mismatch('account'),
  ],
  [
    'truncated storage proof',
    {
      l2: answering('eth_getProof', (it) => ({
        ...it,
        storageProof: [truncated(it.storageProof[0], 'proof')],
      })),
    },
    claiming(),
    mismatch('storage'),
  ],
  [
    'no storage proof',
    { l2: answering('eth_getProof', (it) => ({ ...it, storageProof: [] })) },
    claiming(),
    mismatch('storage'),
  ],
  [
    'proof of another message',
    { l2: asking('eth_getProof', ([a, , b]) => [a, [sentSlot(other.index)], b]) },
    claiming(),
    (error) => error instanceof ProofMismatchError,
  ],
  [
    'proof of another account',
    { l2: asking('eth_getProof', ([, a, b]) => [net.accounts[0].address, a, b]) },
    claiming(),
    mismatch('account'),
  ],
  ['another chain as L1', { l1: wrongChain }, claiming(), chainIs('L1')],
  ['another chain as L2', { l2: wrongChain }, claiming(), chainIs('L2')],
  [
    'stale head',
    { l1: returning('head()', (it) => word(message.l2Block - 1n) + it.slice(66)) },
    claiming(),
    (error) => error instanceof WithdrawalNotReadyError && error.safeHead === message.l2Block - 1n,
  ],
  [
    'expired state root',
    { l1: expired },
    claiming(),
    (error) => error instanceof StateRootExpiredError && error.expected === 'block 91810 or later',
  ],
  [
    'claimed already',
    { l1: returning('isClaimed(uint64)', () => word(1n)) },
    claiming(),
    (error) => error instanceof AlreadyClaimedError,
  ],
  [
    'another messageQueue',
    {},
    claiming({ rollup: elsewhere('messageQueue') }),
    differs('messageQueue'),
  ],
  [
    'another value of the message',
    {},
    claiming({ message: { ...message, value: 23n } }),
    mismatch('message'),
  ],
  [
    'another target of the message',
    {},
    claiming({ message: { ...message, to: net.accounts[0].address } }),
    mismatch('message'),
  ],
  [
    'message that does not exist',
    {},
    claiming({ message: { ...message, index: 1_000_000n } }),
    mismatch('message'),
  ],
  [
    'call by a node of another L2',
    { l2: { ...ofNode({ to, data: honest.data }), ...wrongChain } },
    claiming({ source }),
    chainIs('L2'),
  ],
  [
    'call of another function',
    { l2: ofNode({ to, data: approve }) },
    claiming({ source }),
    mismatch('calldata'),
  ],
  [
    'refund in place of claim',
    { l2: ofNode({ to, data: refund }) },
    claiming({ source }),
    mismatch('calldata'),
  ],
  [
    'truncated calldata',
    { l2: ofNode({ to, data: honest.data.slice(0, 400) }) },
    claiming({ source }),
    mismatch('calldata'),
  ],
  [
    'call of another contract',
    { l2: ofNode({ to: net.l1Token, data: honest.data }) },
    claiming({ source }),
    differs('messageQueue'),
  ],
  [
    'call of another message',
    { l2: ofNode({ to, data: honestOther.data }) },
    claiming({ source }),
    mismatch('message'),
  ],
  [
    'call with another storage root',
    { l2: ofNode({ to, data: wrongRoot }) },
    claiming({ source }),
    mismatch('storage'),
  ],
  [
    'call with a truncated proof',
    { l2: ofNode({ to, data: shortProof }) },
    claiming({ source }),
    mismatch('storage'),
  ],
  [
    'deposit on another L1',
    { l1: wrongChain },
    () => depositTransaction(l1Client, deposit),
    chainIs('L1'),
  ],
  [
    'L1 that changes its chain',
    { l1: changing() },
    () => depositTransaction(l1Client, { ...deposit, account }),
    isChainMismatch,
  ],
  [
    'deposit to another queue',
    {},
    () => depositTransaction(l1Client, { ...deposit, rollup: elsewhere('messageQueue') }),
    differs('messageQueue'),
  ],
  [
    'token to another queue',
    {},
    () =>
      depositToken(l1Client, {
        rollup: elsewhere('messageQueue'),
        l1Token: net.l1Token,
        amount: 1n,
      }),
    differs('messageQueue'),
  ],
  [
    'bridge of another L2 bridge',
    {},
    () => registerToken(l1Client, { rollup: elsewhere('l2Bridge'), l1Token: net.l1Token }),
    differs('l2Bridge'),
  ],
  [
    'token from another bridge',
    {},
    () =>
      initiateTokenWithdrawal(l2Client, {
        rollup: elsewhere('l1Bridge'),
        l1Token: net.l1Token,
        amount: 1n,
      }),
    differs('l1Bridge'),
  ],
  [
    'withdrawal on another L2',
    { l2: wrongChain },
    () => initiateWithdrawal(l2Client, deposit),
    chainIs('L2'),
  ],
  [
    'forced on another L1',
    { l1: wrongChain },
    () => forceTransaction(l1Client, { rollup, serializedTransaction }),
    chainIs('L1'),
  ],
  [
    'forced by another inbox',
    {},
    () => forceTransaction(l1Client, { rollup: elsewhere('forced'), serializedTransaction }),
    differs('forced'),
  ],
  [
    'another header',
    { l2: answering('eth_getBlockByNumber', (it) => ({ ...it, timestamp: '0x1' })) },
    () => verifyHeader(l1Client, { rollup, l2Client }),
    mismatch('header'),
  ],
  [
    'no header',
    { l2: { instead: (method) => (method === 'eth_getBlockByNumber' ? null : undefined) } },
    () => verifyHeader(l1Client, { rollup, l2Client }),
    mismatch('header'),
  ],
  [
    'malformed header',
    { l2: answering('eth_getBlockByNumber', (it) => ({ ...it, gasLimit: 'much' })) },
    () => verifyHeader(l1Client, { rollup, l2Client }),
    mismatch('header'),
  ],
  [
    'state root of a header without prefix',
    {
      l2: answering('eth_getBlockByNumber', (it) => ({
        ...it,
        stateRoot: it.stateRoot.replace('0x', 'aa'),
      })),
    },
    () => verifyHeader(l1Client, { rollup, l2Client }),
    mismatch('header'),
  ],
  [
    'header of the head, and no events',
    { l1: { ...withoutEvents, ...pinned }, l2: asking('eth_getBlockByNumber', () => headParams) },
    () => verifyHeader(l1Client, { rollup, l2Client, l2Block: 1n }),
    (error) => error instanceof BlockEventMissingError && error.l2Block === 1n,
  ],
  [
    'header and event of another block',
    {
      l1: answering('eth_getLogs', ([log]) => [
        { ...log, topics: [log.topics[0], log.topics[1], second.hash] },
      ]),
      l2: asking('eth_getBlockByNumber', () => [numberToHex(second.number), false]),
    },
    () => verifyHeader(l1Client, { rollup, l2Client, l2Block: 1n }),
    mismatch('header'),
  ],
]

export default function suite() {
  for (const [name, lies, run, refused] of LIES) {
    test(`lie: ${name}`, async () => {
      const sent = await lying(lies, () => assert.rejects(run(), refused))
      assert.equal(sent, 0)
    })
  }

  test('receipt_with_another_value_is_refused_at_the_claim', async () => {
    const double = (log) => ({
      ...log,
      data: log.data.replace(word(22n).slice(2), word(44n).slice(2)),
    })
    const lies = {
      l2: answering('eth_getTransactionReceipt', (it) => ({ ...it, logs: it.logs.map(double) })),
    }
    const sent = await lying(lies, async () => {
      const receipt = await getTransactionReceipt(l2Client, { hash })
      const [claimed] = await getWithdrawals(l2Client, { rollup, receipt })
      assert.equal(claimed.value, 44n)
      await assert.rejects(claiming({ message: claimed })(), mismatch('message'))
    })
    assert.equal(sent, 0)
  })

  test('fields_beside_the_proof_are_not_used', async () => {
    const address = net.accounts[0].address
    const lies = {
      l2: answering('eth_getProof', (it) => ({ ...it, balance: '0x1', nonce: '0x9' })),
    }
    await lying(lies, async () => {
      const { account, l2Block } = await verifyAccount(l1Client, { rollup, l2Client, address })
      const told = await verifyAccount(l1(), { rollup, l2Client: l2(), address, l2Block })
      assert.deepEqual(account, told.account)
    })
  })

  test('fields_beside_the_hashed_ones_are_not_returned', async () => {
    const l2Block = 1n
    const { header: expected } = await verifyHeader(l1(), { rollup, l2Client: l2(), l2Block })
    const lies = {
      l2: answering('eth_getBlockByNumber', (it) => ({
        ...it,
        hash: word(1n),
        number: '1',
        slotNumber: it.slotNumber ?? '0x7',
      })),
    }
    await lying(lies, async () => {
      const { header, hash } = await verifyHeader(l1Client, { rollup, l2Client, l2Block })
      assert.deepEqual(header, expected)
      assert.equal(header.number, '0x1')
      assert.equal(hashHeader(header), hash)
    })
  })

  test('header_of_the_head_needs_no_event', async () => {
    await lying({ l1: { ...withoutEvents, ...pinned } }, async () => {
      const { l2Block, hash } = await verifyHeader(l1Client, { rollup, l2Client })
      const { hash: expected } = await getBlock(l2(), { blockNumber: l2Block })
      assert.equal(hash, expected)
    })
  })

  test('fee_recipient_of_the_node_is_not_used', async () => {
    const data = honest.data.replace(net.accounts[7].address.slice(2), 'ee'.repeat(20))
    await lying({ l2: ofNode({ to, data }) }, async () => {
      const call = await buildClaim(l1Client, { ...claim, source })
      assert.ok(!call.data.includes('ee'.repeat(20)))
    })
  })

  test('truth_is_accepted_by_the_same_proxies', async () => {
    const lies = { l2: ofNode({ to, data: honestOther.data }) }
    const sent = await lying(lies, async () => {
      const claimed = await claimWithdrawal(l1Client, { rollup, l2Client, message: other, source })
      assert.equal((await waitForTransactionReceipt(l1Client, { hash: claimed })).status, 'success')
    })
    assert.ok(sent >= 1)
    const calls = [
      () => claimWithdrawal(l1Client, claim),
      () => depositTransaction(l1Client, deposit),
      () => depositTransaction(l1Client, { ...deposit, account }),
      () => registerToken(l1Client, { rollup, l1Token: net.l1Token }),
      () => forceTransaction(l1Client, { rollup, serializedTransaction }),
    ]
    for (const call of calls) {
      const count = await lying({}, async () => {
        const { status } = await waitForTransactionReceipt(l1Client, { hash: await call() })
        assert.equal(status, 'success')
      })
      assert.ok(count >= 1)
    }
    await verifyHeader(l1Client, { rollup, l2Client })
    assert.ok((await lying({}, () => initiateWithdrawal(l2Client, deposit))) >= 1)
  })
}
