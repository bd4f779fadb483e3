import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AlreadyClaimedError,
  buildClaim,
  buildInitiateWithdrawal,
  claimWithdrawal,
  estimateClaimGas,
  estimateInitiateWithdrawalGas,
  getWithdrawals,
  initiateWithdrawal,
  verifyMessage,
  waitToClaim,
  WaitTimeoutError,
} from '@enshrine/viem'
import { parseEther } from 'viem'
import { getBalance, waitForTransactionReceipt } from 'viem/actions'
import { l1, l2, net, rollup } from '../support/localnet.js'

export default function suite() {
  test('withdrawal_is_claimed_on_l1', async () => {
    const [l1Client, l2Client] = [l1(3), l2(3)]
    const to = `0x${'e1'.repeat(20)}`
    const parameters = { rollup, to, value: parseEther('0.5'), fee: 7n }
    const gas = await estimateInitiateWithdrawalGas(l2Client, parameters)
    assert.ok(gas > 21_000n && gas < 200_000n, `${gas}`)
    const built = await buildInitiateWithdrawal(l2Client, parameters)
    assert.equal(built.value, parseEther('0.5') + 7n)

    const hash = await initiateWithdrawal(l2Client, parameters)
    const receipt = await waitForTransactionReceipt(l2Client, { hash })
    const [message] = await getWithdrawals(l2Client, { rollup, receipt })
    assert.equal(message.l2Block, receipt.blockNumber)
    const head = await waitToClaim(l1Client, { rollup, l2Block: message.l2Block })
    assert.ok(head.number >= message.l2Block)
    const proof = await verifyMessage(l1Client, { rollup, l2Client, message })
    assert.ok(proof.l2Block >= message.l2Block && proof.storageProof.length > 0)

    const claim = { rollup, l2Client, message }
    assert.ok((await estimateClaimGas(l1Client, claim)) < 1_000_000n)
    const call = await buildClaim(l1Client, claim)
    assert.equal(call.to.toLowerCase(), net.contracts.messageQueue)
    const claimed = await claimWithdrawal(l1Client, claim)
    assert.equal((await waitForTransactionReceipt(l1Client, { hash: claimed })).status, 'success')
    assert.equal(await getBalance(l1Client, { address: to }), parseEther('0.5'))

    await assert.rejects(
      claimWithdrawal(l1Client, claim),
      (error) => error instanceof AlreadyClaimedError && error.index === message.index,
    )
  })

  test('waiting_ends_at_its_timeout', async () => {
    const parameters = { rollup, l2Block: 10_000_000n, timeout: 300 }
    await assert.rejects(
      waitToClaim(l1(), parameters),
      (error) => error instanceof WaitTimeoutError && error.expected === 10_000_000n,
    )
  })
}
