// Actions that ask a rollup node for states: by answers of version 1 of its interface, which a proxy
// returns, and by those of the node itself.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import {
  claimWithdrawal,
  depositTransaction,
  estimateTotalFee,
  explainExecute,
  forceTransaction,
  getBlockCost,
  getDepositStatus,
  getForced,
  getForcedStatus,
  getForcedTransaction,
  getL1Cost,
  getMessage,
  getMessages,
  getRollup,
  getSyncStatus,
  getTransactionFinality,
  getWithdrawals,
  getWithdrawalStatus,
  hashMessage,
  initiateWithdrawal,
  listMessages,
  MessageFailedError,
  ProofMismatchError,
  suggestForcedFeeCap,
  suggestForcedGas,
  TransactionDroppedError,
  waitForFinality,
  waitForForced,
  waitForRelay,
  waitToClaim,
  WrongChainError,
  WrongRollupError,
} from '@enshrine/viem'
import { numberToHex, zeroAddress } from 'viem'
import { getTransactionCount, waitForTransactionReceipt } from 'viem/actions'
import { l1, l2, net, rollup } from '../support/localnet.js'
import { startProxy } from '../support/proxy.js'

const proxy = await startProxy(net.l2Url)
after(() => proxy.stop())
const asked = l2(undefined, proxy.url)

/** Runs while the node returns these results, by method. */
async function answering(results, run) {
  proxy.lie({ instead: (method) => results[method] })
  try {
    return await run()
  } finally {
    proxy.lie({})
  }
}

const hex = (number) => numberToHex(number)
const quantities = (object) =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, hex(value)]))

/** The answer of `rollup_config` for the localnet. */
function config() {
  const { contracts, rules } = rollup
  const { messenger, anchor, accounts, ...others } = contracts
  const { owner, guardian, preconfirmations, forced, messages, ...delays } = rules
  const { bonds, minBond, postDelay, ...times } = preconfirmations
  return {
    api: '1.0',
    l1ChainId: hex(rollup.l1.id),
    l2ChainId: hex(rollup.l2.id),
    contracts: { ...others, l2Messenger: messenger, l2Anchor: anchor, l2Accounts: accounts },
    rules: { ...quantities(delays), forced: quantities(forced), messages: quantities(messages) },
    owner,
    guardian: guardian && { ...guardian, pause: hex(guardian.pause), limit: hex(guardian.limit) },
    preconfirmations: {
      domain: bonds ?? contracts.rollup,
      bonds,
      minBond: hex(minBond),
      postDelay: postDelay && hex(postDelay),
      ...quantities(times),
    },
    verification: 'native',
  }
}

export default function suite() {
  test('rollup_of_a_node_is_verified', async () => {
    const parameters = { l1Client: l1(), address: net.contracts.rollup }
    const get = (answer, given = parameters) =>
      answering({ rollup_config: answer }, () => getRollup(asked, given))
    assert.deepEqual(await get(config()), { ...rollup, l2: asked.chain })
    const unverified = await get(config(), {})
    assert.deepEqual(unverified.contracts, rollup.contracts)
    assert.deepEqual(unverified.rules, rollup.rules)

    const other = net.accounts[0].address
    const differing = (what) => (error) => error instanceof WrongRollupError && error.what === what
    for (const what of ['messageQueue', 'forced', 'exit', 'policy', 'l2Bridge', 'l2Messenger']) {
      const lie = config()
      lie.contracts[what] = other
      await assert.rejects(get(lie), differing(what === 'l2Messenger' ? 'messenger' : what))
    }
    const elsewhere = config()
    elsewhere.contracts.rollup = other
    await assert.rejects(get(elsewhere), differing('rollup'))
    await assert.rejects(get({ ...config(), l1ChainId: '0x1' }), WrongChainError)
    await assert.rejects(get({ ...config(), l2ChainId: '0x1' }), WrongChainError)
    const slower = config()
    slower.rules.forced.delay = '0x1'
    await assert.rejects(get(slower), ProofMismatchError)
    for (const lie of [{ bonds: other }, { minBond: '0x1' }, { postDelay: '0x1' }]) {
      const preconfirmations = { ...config().preconfirmations, ...lie }
      await assert.rejects(get({ ...config(), preconfirmations }), ProofMismatchError)
    }
    await assert.rejects(get({ ...config(), preconfirmations: null }), ProofMismatchError)
    // The domain is the node's own: without a registry nothing on L1 names it.
    const otherDomain = { ...config().preconfirmations, domain: other }
    assert.deepEqual(
      (await get({ ...config(), preconfirmations: otherDomain })).rules,
      rollup.rules,
    )
  })

  /** A message with its answer of `rollup_getMessage`. */
  function answerOf(direction, message, change = {}) {
    const { sender, to, value, fee, gasLimit, index, data } = message
    const numbers = quantities({ value, fee, gasLimit, index })
    return {
      direction,
      index: numbers.index,
      message: { sender, to, refundTo: null, dataHash: data, data, ...numbers },
      messageHash: hashMessage(message),
      state: 'sent',
      sent: { block: '0x5', transaction: `0x${'01'.repeat(32)}`, timestamp: '0x6' },
      deadline: null,
      delivered: null,
      failure: null,
      claim: null,
      finalized: false,
      ...change,
    }
  }

  const message = {
    sender: net.accounts[0].address,
    to: net.accounts[1].address,
    refundTo: zeroAddress,
    value: 2n ** 100n,
    fee: 7n,
    gasLimit: 0n,
    index: 12n,
    data: '0x',
  }

  test('answers_about_messages_are_read', async () => {
    const delivered = { block: '0x8', transaction: `0x${'02'.repeat(32)}` }
    const claim = { l1Block: '0x9', l1Transaction: `0x${'03'.repeat(32)}` }
    const answer = answerOf('l2ToL1', message, {
      state: 'claimed',
      delivered,
      claim,
      deadline: '0xa',
    })
    const page = { messages: [answer], next: '0xc' }
    const results = { rollup_getMessage: answer, rollup_getMessages: page }
    await answering(results, async () => {
      const info = await getMessage(asked, { direction: 'l2ToL1', index: 12n })
      assert.equal(info.message.value, 2n ** 100n)
      assert.equal(info.message.refundTo, zeroAddress)
      assert.deepEqual(info.delivered, { block: 8n, transaction: delivered.transaction })
      assert.deepEqual(info.claim, { block: 9n, transaction: claim.l1Transaction })
      assert.equal(info.deadline, 10n)
      const { messages, next } = await listMessages(asked, { direction: 'l2ToL1', limit: 1 })
      assert.deepEqual(messages, [info])
      assert.equal(next, 12n)
    })
  })

  test('state_of_another_message_is_refused', async () => {
    const isMismatch = (error) => error instanceof ProofMismatchError && error.at === 'message'
    const other = { ...message, value: 1n }
    const withdrawal = { ...message, l2Block: 1n }
    const told = (of, change) => ({ rollup_getMessage: answerOf('l1ToL2', of, change) })
    await answering(told(other), async () => {
      await assert.rejects(getDepositStatus(asked, { rollup, message }), isMismatch)
      await assert.rejects(waitForRelay(asked, { rollup, message }), isMismatch)
      await assert.rejects(getWithdrawalStatus(asked, { rollup, message: withdrawal }), isMismatch)
    })
    const delivered = { block: '0x8', transaction: `0x${'02'.repeat(32)}` }
    await answering(told(message, { state: 'relayed', delivered }), async () => {
      assert.equal(await getDepositStatus(asked, { rollup, message }), 'relayed')
      assert.equal((await waitForRelay(asked, { rollup, message })).block, 8n)
      assert.equal(await getWithdrawalStatus(asked, { rollup, message: withdrawal }), 'relayed')
    })
    await answering(told(message, { state: 'failed', failure: { reason: '0xdead' } }), async () => {
      await assert.rejects(
        waitForRelay(asked, { rollup, message }),
        (error) => error instanceof MessageFailedError && error.reason === '0xdead',
      )
    })
  })

  test('l1_decides_whether_a_withdrawal_is_claimed', async () => {
    const hash = await initiateWithdrawal(l2(6), { rollup, value: 5n })
    const receipt = await waitForTransactionReceipt(l2(6), { hash })
    const [sent] = await getWithdrawals(l2(), { rollup, receipt })
    const l1Client = l1()
    const status = () => getWithdrawalStatus(l2(), { rollup, message: sent, l1Client })
    assert.ok(['unsafe', 'claimable'].includes(await status()))
    await waitToClaim(l1Client, { rollup, l2Block: sent.l2Block })
    assert.equal(await status(), 'claimable')
    const lie = { rollup_getMessage: answerOf('l2ToL1', sent, { state: 'claimed' }) }
    await answering(lie, async () => {
      const parameters = { rollup, message: sent, l1Client }
      assert.equal(await getWithdrawalStatus(asked, parameters), 'claimable')
    })
    const claimed = await claimWithdrawal(l1(6), { rollup, l2Client: l2(), message: sent })
    await waitForTransactionReceipt(l1Client, { hash: claimed })
    assert.equal(await status(), 'claimed')
    assert.equal(await waitForFinality(l2(), { hash }), 'safe')
  })

  test('answers_about_transactions_are_read', async () => {
    const hash = `0x${'04'.repeat(32)}`
    const block = { number: '0x1', hash }
    const finality = (rollup_transactionStatus) =>
      answering({ rollup_transactionStatus }, () => getTransactionFinality(asked, { hash }))
    assert.equal(await finality(null), null)
    assert.equal(await finality({ status: 'pending' }), null)
    assert.equal(await finality({ status: 'included', block }), 'unsafe')
    assert.equal(await finality({ status: 'submitted', block }), 'submitted')
    const posted = { status: 'posted', block, finalized: false, l1Cost: '0x10' }
    assert.equal(await finality(posted), 'safe')
    assert.equal(await finality({ ...posted, finalized: true }), 'finalized')
    await answering({ rollup_transactionStatus: posted }, async () => {
      assert.equal(await getL1Cost(asked, { hash }), 16n)
    })
    const dropped = { status: 'dropped', reason: 'replaced' }
    await answering({ rollup_transactionStatus: dropped }, async () => {
      await assert.rejects(
        waitForFinality(asked, { hash }),
        (error) => error instanceof TransactionDroppedError && error.reason === 'replaced',
      )
    })
  })

  test('answers_about_forced_transactions_are_read', async () => {
    const answer = {
      index: '0x3',
      hash: `0x${'05'.repeat(32)}`,
      sender: net.accounts[5].address,
      to: net.accounts[6].address,
      priced: true,
      l1Transaction: `0x${'06'.repeat(32)}`,
      submittedAt: '0x1',
      due: '0x2',
      graceUntil: '0x3',
      expires: '0x4',
      outcome: 'waiting',
      l2Block: null,
      finalized: false,
    }
    const status = (change) =>
      answering({ rollup_getForced: change && { ...answer, ...change } }, () =>
        getForcedStatus(asked, { index: 3n }),
      )
    assert.equal(await status(null), null)
    assert.equal(await status({}), 'due')
    assert.equal(await status({ due: '0xffffffffff' }), 'waiting')
    assert.equal(await status({ outcome: 'underpriced' }), 'underpriced')
    const included = { ...answer, outcome: 'included', l2Block: '0x9' }
    await answering({ rollup_getForced: included }, async () => {
      const forced = await waitForForced(asked, { index: 3n })
      assert.equal(forced.l2Block, 9n)
      assert.equal(forced.status, 'included')
      assert.equal(forced.isPriced, true)
    })
  })

  test('costs_and_heads_of_the_node_are_read', async () => {
    const status = await getSyncStatus(l2())
    assert.equal(status.role, 'sequencer')
    assert.ok(status.isSynced && status.unsafeHead.number >= status.safeHead.number)
    assert.equal(await getBlockCost(l2(), { block: 100_000_000n }), null)
    // The first blocks are from before the node has read their L1 transactions.
    const hash = await initiateWithdrawal(l2(6), { rollup, value: 1n })
    const { blockNumber } = await waitForTransactionReceipt(l2(), { hash })
    await waitForFinality(l2(), { hash, timeout: 120_000 })
    const cost = await getBlockCost(l2(), { block: blockNumber })
    assert.ok(cost.firstBlock <= blockNumber && blockNumber <= cost.lastBlock)
    assert.ok(cost.cost > 0n && cost.transactionCost >= cost.cost)
    assert.ok((await getL1Cost(l2(), { hash })) > 0n)
    const [call] = await explainExecute(l1(), { hash: cost.l1Transaction })
    assert.equal(call.verdict, 'valid')
    assert.ok(call.gasUsed > 0n && call.gasUsed <= call.gas)
    assert.ok(Number.isInteger(call.calldataBytes) && call.calldataBytes > 0)
    const fee = await estimateTotalFee(l2(), { account: net.accounts[6].address, to: zeroAddress })
    assert.ok(fee >= 21_000n)
  })

  test('node_and_l1_agree_on_the_rollup', async () => {
    const { contracts, rules } = await getRollup(l2(), {
      l1Client: l1(),
      address: net.contracts.rollup,
    })
    assert.deepEqual({ contracts, rules }, { contracts: rollup.contracts, rules: rollup.rules })
  })

  test('node_follows_messages', async () => {
    const hash = await depositTransaction(l1(6), { rollup, value: 1n })
    const receipt = await waitForTransactionReceipt(l1(6), { hash })
    const [sent] = await getMessages(l1(), { rollup, receipt })
    const delivered = await waitForRelay(l2(), { rollup, message: sent })
    const relay = await waitForTransactionReceipt(l2(), { hash: delivered.transaction })
    assert.equal(relay.blockNumber, delivered.block)
    const account = net.accounts[6].address
    const { messages } = await listMessages(l2(), { direction: 'l1ToL2', account, limit: 1 })
    assert.equal(messages[0].message.index, sent.index)
    assert.equal(messages[0].sent.transaction, hash)
  })

  test('node_follows_forced_transactions', async () => {
    const account = net.accounts[6].address
    const client = l2(6)
    const serializedTransaction = await client.account.signTransaction({
      chainId: Number(net.l2ChainId),
      type: 'eip1559',
      nonce: await getTransactionCount(client, { address: account }),
      to: account,
      gas: await suggestForcedGas(l1(), { rollup }),
      maxFeePerGas: await suggestForcedFeeCap(l1(), { rollup }),
      maxPriorityFeePerGas: 1n,
    })
    const submit = await forceTransaction(l1(6), { rollup, serializedTransaction })
    const submitted = await waitForTransactionReceipt(l1(6), { hash: submit })
    const [{ index, hash: forcedHash }] = await getForced(l1(), { rollup, receipt: submitted })
    const forced = await waitForForced(client, { index })
    assert.equal(forced.status, 'included')
    assert.equal(forced.hash, forcedHash)
    assert.equal((await getForcedTransaction(client, { index })).l1Transaction, submit)
  })

  test('node_builds_the_call_of_a_claim', async () => {
    const hash = await initiateWithdrawal(l2(6), { rollup, value: 6n })
    const receipt = await waitForTransactionReceipt(l2(6), { hash })
    const [sent] = await getWithdrawals(l2(), { rollup, receipt })
    await waitForFinality(l2(), { hash })
    const parameters = { rollup, l2Client: l2(), message: sent, source: 'node' }
    const claimed = await claimWithdrawal(l1(6), parameters)
    const { status } = await waitForTransactionReceipt(l1(), { hash: claimed })
    assert.equal(status, 'success')
    const info = await getMessage(l2(), { direction: 'l2ToL1', index: sent.index })
    assert.ok(['claimable', 'claimed'].includes(info.state))
  })
}
