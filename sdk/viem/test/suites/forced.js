import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  buildInitiateWithdrawal,
  estimateForcedFee,
  forceTransaction,
  getForced,
  suggestForcedFeeCap,
  WrongChainError,
} from '@enshrine/viem'
import { keccak256 } from 'viem'
import { getBalance, getTransactionCount, waitForTransactionReceipt } from 'viem/actions'
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
    gas: 21_000n,
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
    const serializedTransaction = await signed({ ...call, gas: 200_000n })
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

  test('revert_of_the_inbox_is_decoded', async () => {
    const creation = await signed({ data: '0x00', gas: 100_000n })
    await assert.rejects(
      forceTransaction(l1(5), { rollup, serializedTransaction: creation }),
      /NotForceable/,
    )
  })
}
