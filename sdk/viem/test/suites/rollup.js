import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import {
  getExitBound,
  getHead,
  getStateRoot,
  hashHeader,
  readRollup,
  verifyAccount,
  verifyHeader,
  verifyStorage,
  waitToClaim,
  WithdrawalNotReadyError,
} from '@enshrine/viem'
import { pad, toFunctionSelector } from 'viem'
import { getBalance, getBlock, getStorageAt } from 'viem/actions'
import { l1, l2, net, rollup } from '../support/localnet.js'
import { startProxy } from '../support/proxy.js'

const proxy = await startProxy(net.l1Url)
after(() => proxy.stop())

export default function suite() {
  test('rollup_is_read_from_l1', () => {
    assert.equal(rollup.l1.id, Number(net.l1ChainId))
    assert.equal(rollup.l2.id, Number(net.l2ChainId))
    const lower = Object.fromEntries(
      Object.entries(rollup.contracts).map(([name, address]) => [name, address?.toLowerCase()]),
    )
    const {
      rollup: address,
      messageQueue,
      forced,
      exit,
      policy,
      l1Bridge,
      l2Bridge,
      messenger,
    } = lower
    assert.deepEqual(
      { address, messageQueue, forced, exit, policy, l1Bridge, l2Bridge, messenger },
      {
        address: net.contracts.rollup,
        messageQueue: net.contracts.messageQueue,
        forced: net.contracts.forced,
        exit: net.contracts.exit,
        policy: net.contracts.policy,
        l1Bridge: net.contracts.l1Bridge,
        l2Bridge: net.contracts.l2Bridge,
        messenger: net.contracts.l2Messenger,
      },
    )
    assert.equal(rollup.rules.stateRoots, 8191)
    assert.ok(rollup.rules.maxLag > 0 && rollup.rules.openAfter > rollup.rules.maxLag)
  })

  test('terms_of_preconfirmations_are_read_from_policy', async () => {
    const { maxLag, preconfirmations: terms } = rollup.rules
    const { timeout } = terms
    const postWithin = maxLag / 2
    const none = { bonds: null, minBond: 0n, postWithin, postDelay: null, timeout }
    assert.ok(timeout > maxLag)
    assert.deepEqual(terms, none)

    const isCall = (name, params) => params[0]?.data === toFunctionSelector(`${name}()`)
    const read = async (lies) => {
      proxy.lie(lies)
      const parameters = { address: net.contracts.rollup }
      return (await readRollup(l1(undefined, proxy.url, 0), parameters)).rules.preconfirmations
    }
    const bonds = net.accounts[0].address
    const values = { BONDS: bonds, MIN_BOND: '0x7', POST_DELAY: '0x12c' }
    const instead = (_, params) => {
      const name = Object.keys(values).find((it) => isCall(it, params))
      return name && pad(values[name], { size: 32 })
    }
    const { bonds: got, ...others } = await read({ instead })
    assert.equal(got.toLowerCase(), bonds.toLowerCase())
    assert.deepEqual(others, { minBond: 7n, postWithin, postDelay: 300, timeout })

    // Without a timeout; an error of the node is no answer.
    const failing = (error) => (_, params) => (isCall('TIMEOUT', params) ? error : undefined)
    const reverted = [
      { code: 3, message: 'execution reverted', data: '0x' },
      { code: -32000, message: 'execution reverted' },
      { code: -32015, message: 'VM execution error.', data: 'revert' },
    ]
    for (const error of reverted) assert.equal(await read({ failing: failing(error) }), null)
    for (const error of [
      { code: -32005, message: 'too many requests' },
      { code: -32603, message: 'internal error' },
    ]) {
      await assert.rejects(read({ failing: failing(error) }))
    }
    assert.deepEqual(await read({}), none)
  })

  test('bridge_of_another_queue_is_refused', async () => {
    const wrong = { address: net.contracts.rollup, l1Bridge: net.contracts.rollup }
    await assert.rejects(readRollup(l1(), wrong))
    const right = await readRollup(l1(), { address: net.contracts.rollup })
    assert.equal(right.contracts.l1Bridge, null)
  })

  test('exit_bound_is_shorter_than_upgrades', async () => {
    const { total, ...parts } = await getExitBound(l1(), { rollup })
    assert.equal(
      total,
      Object.values(parts).reduce((sum, part) => sum + part, 0),
    )
    assert.ok(total < rollup.rules.upgradeDelay, `${total}`)
  })

  test('state_roots_are_those_of_the_l2', async () => {
    const { number } = await getHead(l1(), { rollup })
    const [root, block] = await Promise.all([
      getStateRoot(l1(), { rollup, l2Block: number }),
      getBlock(l2(), { blockNumber: number }),
    ])
    assert.equal(root, block.stateRoot)
    await assert.rejects(
      getStateRoot(l1(), { rollup, l2Block: number + 1_000n }),
      (error) => error instanceof WithdrawalNotReadyError && error.safeHead >= number,
    )
  })

  test('headers_of_the_l2_are_verified', async () => {
    await waitToClaim(l1(), { rollup, l2Block: 1n })
    const { l2Block, hash, header } = await verifyHeader(l1(), { rollup, l2Client: l2() })
    const block = await getBlock(l2(), { blockNumber: l2Block })
    assert.equal(hash, block.hash)
    assert.equal(hashHeader(header), hash)
    const older = await verifyHeader(l1(), { rollup, l2Client: l2(), l2Block: 1n })
    assert.equal(older.hash, (await getBlock(l2(), { blockNumber: 1n })).hash)
    const l1Block = await l1().request({
      method: 'eth_getBlockByNumber',
      params: ['latest', false],
    })
    assert.equal(hashHeader(l1Block), l1Block.hash)
  })

  test('accounts_and_slots_are_verified', async () => {
    const l2Client = l2()
    await waitToClaim(l1(), { rollup, l2Block: 1n })
    const address = net.accounts[9].address
    const { account, l2Block } = await verifyAccount(l1(), { rollup, l2Client, address })
    assert.equal(account.balance, await getBalance(l2Client, { address, blockNumber: l2Block }))
    const nobody = '0x00000000000000000000000000000000000000ff'
    assert.equal((await verifyAccount(l1(), { rollup, l2Client, address: nobody })).account, null)

    const slot = `0x${'00'.repeat(32)}`
    const messenger = { address: rollup.contracts.messenger, slot }
    const proven = await verifyStorage(l1(), { rollup, l2Client, ...messenger })
    assert.equal(
      proven.value,
      await getStorageAt(l2Client, { ...messenger, blockNumber: proven.l2Block }),
    )
    assert.notEqual(BigInt(proven.value), 0n)
    const unset = `0x${'ff'.repeat(32)}`
    const absent = await verifyStorage(l1(), { rollup, l2Client, ...messenger, slot: unset })
    assert.equal(BigInt(absent.value), 0n)
  })
}
