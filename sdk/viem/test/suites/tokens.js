import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  claimWithdrawal,
  depositToken,
  getTokenPair,
  getWithdrawals,
  initiateTokenWithdrawal,
  registerToken,
  waitToClaim,
  WrongRollupError,
} from '@enshrine/viem'
import { erc20Abi, parseAbi } from 'viem'
import { readContract, waitForTransactionReceipt, writeContract } from 'viem/actions'
import { l1, l2, net, rollup } from '../support/localnet.js'
import { until } from '../support/until.js'

const l1Token = net.l1Token
const balance = (client, address, account) =>
  readContract(client, { abi: erc20Abi, address, functionName: 'balanceOf', args: [account] })

export default function suite() {
  test('tokens_go_to_the_l2_and_back', async () => {
    const [l1Client, l2Client] = [l1(4), l2(4)]
    const owner = net.accounts[4].address
    const mint = parseAbi(['function mint(address to, uint256 amount)'])
    const minted = await writeContract(l1Client, {
      abi: mint,
      address: l1Token,
      functionName: 'mint',
      args: [owner, 1_000n],
    })
    await waitForTransactionReceipt(l1Client, { hash: minted })
    const before = await balance(l1Client, l1Token, owner)

    const { approval, hash } = await depositToken(l1Client, { rollup, l1Token, amount: 600n })
    assert.ok(approval)
    assert.equal((await waitForTransactionReceipt(l1Client, { hash })).status, 'success')
    const { l2Token, isRegistered, owed } = await getTokenPair(l1Client, { rollup, l1Token })
    assert.equal(l2Token.toLowerCase(), net.l2Token)
    assert.ok(isRegistered && owed >= 600n)
    await until(async () => (await balance(l2Client, l2Token, owner)) === 600n)

    const sent = await initiateTokenWithdrawal(l2Client, { rollup, l1Token, amount: 250n })
    const receipt = await waitForTransactionReceipt(l2Client, { hash: sent })
    const [message] = await getWithdrawals(l2Client, { rollup, receipt })
    await waitToClaim(l1Client, { rollup, l2Block: message.l2Block })
    const claimed = await claimWithdrawal(l1Client, { rollup, l2Client, message })
    assert.equal((await waitForTransactionReceipt(l1Client, { hash: claimed })).status, 'success')
    assert.equal(await balance(l1Client, l1Token, owner), before - 350n)
    assert.equal(await balance(l2Client, l2Token, owner), 350n)
  })

  test('token_is_registered_again', async () => {
    const hash = await registerToken(l1(4), { rollup, l1Token })
    assert.equal((await waitForTransactionReceipt(l1(4), { hash })).status, 'success')
  })

  test('revert_of_the_bridge_is_decoded', async () => {
    const unknown = { rollup, l1Token: net.contracts.rollup }
    await assert.rejects(registerToken(l1(4), unknown), /DecimalsUnknown/)
    // An error of the queue, which the bridge calls.
    await assert.rejects(registerToken(l1(4), { rollup, l1Token, fee: 1n }), /FeeTooLow/)
    const approve = false
    await assert.rejects(depositToken(l1(4), { rollup, l1Token, amount: 10n ** 30n, approve }))
  })

  test('rollup_without_bridge_is_named', async () => {
    const contracts = { ...rollup.contracts, l1Bridge: null }
    await assert.rejects(
      getTokenPair(l1(), { rollup: { ...rollup, contracts }, l1Token }),
      (error) => error instanceof WrongRollupError && error.what === 'l1Bridge',
    )
  })
}
