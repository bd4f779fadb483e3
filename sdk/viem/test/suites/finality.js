import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitToClaim } from '@enshrine/viem'
import { l1, rollup } from '../support/localnet.js'

export default function suite() {
  test('finalized_head_follows_the_safe_one', async () => {
    const client = l1()
    const { number } = await waitToClaim(client, { rollup, l2Block: 1n })
    await client.request({ method: 'anvil_mine', params: ['0x46', '0x1'] })
    const finality = 'finalized'
    const final = await waitToClaim(client, { rollup, l2Block: number, finality })
    assert.ok(final.number >= number)
  })
}
