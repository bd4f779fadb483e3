import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  buildInitiateWithdrawal,
  estimateForcedFee,
  forceTransaction,
  getForced,
  suggestForcedFeeCap,
  suggestForcedGas,
  WrongChainError,
} from '@enshrine/viem'
import { keccak256, size } from 'viem'
import {
  estimateGas,
  getBalance,
  getTransactionCount,
  waitForTransactionReceipt,
} from 'viem/actions'
import { l1, l2, net, rollup } from '../support/localnet.js'
import { until } from '../support/until.js'

/** Signs an L2 transaction of account 5, to be forced. */
async function signed(change = {}) {
  const client = l2(5)
  const maxFeePerGas = await suggestForcedFeeCap(l1(), { rollup })
  assert.ok(maxFeePerGas >= 8n * 10n ** 9n)
  const nonce = await getTransactionCount(client, { address: client.account.address })
  const transaction = {
    chainId: Number(net.l2ChainId),
    type: 'eip1559',
    nonce,
    gas: await suggestForcedGas(l1(), { rollup }),
    maxFeePerGas,
    maxPriorityFeePerGas: 1n,
    ...change,
  }
  return client.account.signTransaction(transaction)
}

export default function suite() {
  test('forced_transfer_is_included', async () => {
    const to = `0x${'f1'.repeat(20)}`
    const serializedTransaction = await signed({ to, value: 3n })
    const fee = await estimateForcedFee(l1(5), { rollup, serializedTransaction })
    assert.ok(fee > 0n)
    const hash = await forceTransaction(l1(5), { rollup, serializedTransaction })
    const receipt = await waitForTransactionReceipt(l1(5), { hash })
    assert.equal(receipt.status, 'success')
    const [forced] = await getForced(l1(), { rollup, receipt })
    assert.equal(forced.hash, keccak256(serializedTransaction))
    assert.equal(forced.sender.toLowerCase(), net.accounts[5].address)
    assert.equal(forced.isPriced, true)
    await until(async () => (await getBalance(l2(), { address: to })) === 3n)
  })

  test('withdrawal_can_be_forced', async () => {
    const call = await buildInitiateWithdrawal(l2(5), { rollup, value: 9n })
    const estimate = await estimateGas(l2(5), { account: l2(5).account, ...call })
    const gas = await suggestForcedGas(l1(), { rollup, data: call.data, gas: (estimate * 5n) / 4n })
    assert.ok(gas >= 42_000n + 256n * BigInt(size(call.data)))
    const serializedTransaction = await signed({ ...call, gas })
    const hash = await forceTransaction(l1(5), { rollup, serializedTransaction })
    const receipt = await waitForTransactionReceipt(l1(5), { hash })
    const [forced] = await getForced(l1(), { rollup, receipt })
    const included = await waitForTransactionReceipt(l2(), { hash: forced.hash })
    assert.equal(included.status, 'success')
  })

  test('transaction_of_another_chain_is_not_forced', async () => {
    const to = `0x${'f2'.repeat(20)}`
    const other = await signed({ to, chainId: Number(net.l1ChainId) })
    await assert.rejects(
      forceTransaction(l1(5), { rollup, serializedTransaction: other }),
      (error) => error instanceof WrongChainError && error.got === Number(net.l1ChainId),
    )
    await assert.rejects(
      forceTransaction(l1(5), { rollup, serializedTransaction: other, fee: 10n ** 16n }),
      WrongChainError,
    )
  })

  test('minimum_gas_is_suggested_and_required', async () => {
    const to = `0x${'f3'.repeat(20)}`
    assert.equal(await suggestForcedGas(l1(), { rollup }), 42_000n)
    assert.equal(await suggestForcedGas(l1(), { rollup, data: '0x0102' }), 42_512n)
    assert.equal(await suggestForcedGas(l1(), { rollup, gas: 50_000n }), 50_000n)
    const low = await signed({ to, gas: 41_999n })
    await assert.rejects(
      forceTransaction(l1(5), { rollup, serializedTransaction: low }),
      /ForcedGasTooLow/,
    )
    const serializedTransaction = await signed({ to, gas: 42_000n })
    assert.ok((await estimateForcedFee(l1(5), { rollup, serializedTransaction })) > 0n)
  })

  test('revert_of_the_inbox_is_decoded', async () => {
    const creation = await signed({ data: '0x00', gas: 100_000n })
    await assert.rejects(
      forceTransaction(l1(5), { rollup, serializedTransaction: creation }),
      /NotForceable/,
    )
  })
}
