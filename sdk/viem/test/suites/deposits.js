import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  buildAliasCall,
  buildDepositTransaction,
  buildInitiateWithdrawal,
  claimWithdrawal,
  ContractWalletDepositError,
  deliverParked,
  depositTransaction,
  EventMissingError,
  estimateDepositTransactionGas,
  FeeAboveMaximumError,
  getAliasAccount,
  getDepositStatus,
  getMessages,
  getWithdrawals,
  MessageFailedError,
  MessageGasMissingError,
  refundMessage,
  refundToL1,
  retryMessage,
  waitForRelay,
  waitToClaim,
} from '@enshrine/viem'
import { parseEther } from 'viem'
import { getBalance, readContract, sendTransaction, waitForTransactionReceipt } from 'viem/actions'
import { accountsAbi } from '../../dist/abis/accounts.js'
import { l1, l2, net, rollup } from '../support/localnet.js'
import { startProxy } from '../support/proxy.js'
import { until } from '../support/until.js'

const target = (byte) => `0x${byte.repeat(20)}`

export default function suite() {
  test('deposit_arrives_on_the_l2', async () => {
    const client = l1(1)
    const to = target('d1')
    const parameters = { rollup, to, value: parseEther('1') }
    const gas = await estimateDepositTransactionGas(client, parameters)
    assert.ok(gas > 50_000n && gas < 300_000n, `${gas}`)
    const hash = await depositTransaction(client, parameters)
    const receipt = await waitForTransactionReceipt(client, { hash })
    const [message] = await getMessages(client, { rollup, receipt })
    assert.equal(message.to.toLowerCase(), to)
    assert.equal(message.value, parseEther('1'))
    assert.equal(message.refundTo.toLowerCase(), net.accounts[1].address)
    assert.ok(message.fee > 0n)
    await waitForRelay(l2(), { rollup, message })
    assert.equal(await getDepositStatus(l2(), { rollup, message }), 'relayed')
    assert.equal(await getBalance(l2(), { address: to }), parseEther('1'))
    const later = { ...message, index: message.index + 1_000n }
    assert.equal(await getDepositStatus(l2(), { rollup, message: later }), 'sent')
  })

  // The first message in a block of L1 needs more gas than the others: an estimate for one of these
  // does not limit the next estimate.
  test('estimate_is_not_limited_by_another', async () => {
    const proxy = await startProxy(net.l1Url)
    try {
      const limits = []
      proxy.lie({
        request: (method, params) => {
          if (method === 'eth_estimateGas') limits.push(params[0].gas)
        },
      })
      const client = l1(1, proxy.url)
      const hash = await depositTransaction(client, { rollup, to: target('d5'), value: 1n })
      assert.deepEqual(limits, [undefined])
      assert.equal((await waitForTransactionReceipt(client, { hash })).status, 'success')
    } finally {
      await proxy.stop()
    }
  })

  test('failed_message_is_retried_and_refunded', async () => {
    // The token rejects any call without a function.
    const [l1Client, l2Client] = [l1(8), l2(8)]
    const parameters = { rollup, to: net.l2Token, data: '0x12345678', gas: 100_000n, value: 77n }
    const hash = await depositTransaction(l1Client, parameters)
    const receipt = await waitForTransactionReceipt(l1Client, { hash })
    const [message] = await getMessages(l1Client, { rollup, receipt })
    await assert.rejects(
      waitForRelay(l2Client, { rollup, message }),
      (error) =>
        error instanceof MessageFailedError &&
        error.state === 'failed' &&
        error.index === message.index,
    )
    await assert.rejects(retryMessage(l2Client, { rollup, message }), /RetryFailed/)
    await assert.rejects(deliverParked(l2Client, { rollup, message }), /RetryFailed/)
    const recipient = target('d8')
    const refund = { rollup, message, recipient }
    await assert.rejects(refundMessage(l2(9), refund), /NotRefundable/)
    await assert.rejects(refundToL1(l2(9), refund), /NotRefundable/)
    const refunded = await refundMessage(l2Client, refund)
    assert.equal((await waitForTransactionReceipt(l2Client, { hash: refunded })).status, 'success')
    assert.equal(await getBalance(l2Client, { address: recipient }), 77n)
    await assert.rejects(retryMessage(l2Client, { rollup, message }), /NotFailed/)
  })

  test('failed_message_is_refunded_to_l1', async () => {
    const [l1Client, l2Client] = [l1(8), l2(8)]
    const parameters = { rollup, to: net.l2Token, data: '0x12345678', gas: 100_000n, value: 78n }
    const hash = await depositTransaction(l1Client, parameters)
    const receipt = await waitForTransactionReceipt(l1Client, { hash })
    const [message] = await getMessages(l1Client, { rollup, receipt })
    await assert.rejects(waitForRelay(l2Client, { rollup, message }), MessageFailedError)
    const recipient = target('d9')
    const sent = await refundToL1(l2Client, { rollup, message, recipient })
    const back = await waitForTransactionReceipt(l2Client, { hash: sent })
    const [withdrawal] = await getWithdrawals(l2Client, { rollup, receipt: back })
    await waitToClaim(l1Client, { rollup, l2Block: withdrawal.l2Block })
    const claimed = await claimWithdrawal(l1Client, { rollup, l2Client, message: withdrawal })
    assert.equal((await waitForTransactionReceipt(l1Client, { hash: claimed })).status, 'success')
    assert.equal(await getBalance(l1Client, { address: recipient }), 78n)
  })

  test('deposit_to_itself_is_the_default_of_a_key', async () => {
    const call = await buildDepositTransaction(l1(1), { rollup, value: 1n })
    assert.equal(call.to.toLowerCase(), net.contracts.messageQueue)
    const gas = await estimateDepositTransactionGas(l1(1), { rollup, value: 1n })
    const hash = await sendTransaction(l1(1), { ...call, gas })
    const receipt = await waitForTransactionReceipt(l1(1), { hash })
    const [message] = await getMessages(l1(), { rollup, receipt })
    assert.equal(message.to.toLowerCase(), net.accounts[1].address)
    await assert.rejects(
      getMessages(l1(), { rollup, receipt: { logs: [], blockNumber: 0n } }),
      EventMissingError,
    )
  })

  test('contract_cannot_deposit_to_itself', async () => {
    // The token stands for any contract, such as a wallet with several owners.
    const account = net.l1Token
    await assert.rejects(
      buildDepositTransaction(l1(), { rollup, account, value: 1n }),
      (error) => error instanceof ContractWalletDepositError && /bytes of code/.test(error.got),
    )
    const named = await buildDepositTransaction(l1(), {
      rollup,
      account,
      value: 1n,
      to: target('d2'),
      fee: 10n ** 15n,
    })
    assert.equal(named.value, 10n ** 15n + 1n)
    const alias = await getAliasAccount(l1(), { address: account })
    const call = await buildDepositTransaction(l1(), {
      rollup,
      account,
      value: 1n,
      to: 'alias',
      fee: 10n ** 15n,
    })
    assert.ok(call.data.includes(alias.slice(2).toLowerCase()))
  })

  test('delegating_key_may_deposit_to_itself', async () => {
    const client = l1()
    const address = target('d7')
    const code = `0xef0100${net.l1Token.slice(2)}`
    const set = (value) => client.request({ method: 'anvil_setCode', params: [address, value] })
    const parameters = { rollup, account: address, value: 1n, fee: 10n ** 15n }
    await set(code)
    const call = await buildDepositTransaction(client, parameters)
    assert.ok(call.data.includes(address.slice(2)))
    // One byte more is no delegation.
    await set(`${code}00`)
    await assert.rejects(buildDepositTransaction(client, parameters), ContractWalletDepositError)
  })

  test('alias_addresses_are_those_of_the_contract', async () => {
    for (const address of [net.l1Token, net.contracts.rollup, target('01')]) {
      const expected = await readContract(l2(), {
        abi: accountsAbi,
        address: rollup.contracts.accounts,
        functionName: 'accountOf',
        args: [address],
      })
      assert.equal(await getAliasAccount(l1(), { address }), expected)
    }
  })

  test('alias_account_makes_a_call', async () => {
    const client = l1(2)
    const to = target('d3')
    const call = await buildAliasCall(client, { rollup, calls: [{ to, value: 5n }] })
    const hash = await depositTransaction(client, { rollup, ...call, value: 5n, gas: 500_000n })
    assert.equal((await waitForTransactionReceipt(client, { hash })).status, 'success')
    await until(async () => (await getBalance(l2(), { address: to })) === 5n)
  })

  test('message_with_data_needs_gas', async () => {
    const parameters = { rollup, to: target('d4'), data: '0x01' }
    const withdrawal = { ...parameters, data: '0x0102' }
    for (const gas of [undefined, 0n]) {
      const isRefused = (got) => (error) =>
        error instanceof MessageGasMissingError &&
        error.got === got &&
        error.expected === 'a gas limit'
      const deposit = buildDepositTransaction(l1(1), { ...parameters, gas })
      await assert.rejects(deposit, isRefused('1 bytes of data without gas'))
      const refused = buildInitiateWithdrawal(l2(1), { ...withdrawal, gas })
      await assert.rejects(refused, isRefused('2 bytes of data without gas'))
    }
    await buildDepositTransaction(l1(1), { ...parameters, gas: 50_000n })
    await buildInitiateWithdrawal(l2(1), { ...withdrawal, gas: 50_000n })
  })

  test('fee_is_bounded_by_its_maximum', async () => {
    const parameters = { rollup, to: target('d5'), gas: 1_000_000n }
    const { value: twice } = await buildDepositTransaction(l1(1), parameters)
    const bounded = await buildDepositTransaction(l1(1), {
      ...parameters,
      maxFee: (twice * 9n) / 10n,
    })
    assert.ok(bounded.value <= (twice * 9n) / 10n)
    await assert.rejects(
      buildDepositTransaction(l1(1), { ...parameters, maxFee: 1n }),
      (error) => error instanceof FeeAboveMaximumError && error.expected === 1n && error.got > 1n,
    )
  })
}
