import { defineChain, type Chain } from 'viem'

const ether = { name: 'Ether', symbol: 'ETH', decimals: 18 }

/** L1 of `enshrine localnet`. */
export const localnetL1: Chain & { id: 31_337 } = /*#__PURE__*/ defineChain({
  id: 31_337,
  name: 'Enshrine localnet L1',
  nativeCurrency: ether,
  blockTime: 1_000,
  rpcUrls: { default: { http: ['http://127.0.0.1:8545'], webSocket: ['ws://127.0.0.1:8545'] } },
  testnet: true,
})

/** Rollup of `enshrine localnet`. */
export const localnet: Chain & { id: 8_079 } = /*#__PURE__*/ defineChain({
  id: 8_079,
  name: 'Enshrine localnet',
  nativeCurrency: ether,
  blockTime: 1_000,
  rpcUrls: { default: { http: ['http://127.0.0.1:9545'], webSocket: ['ws://127.0.0.1:9545'] } },
  sourceId: 31_337,
  testnet: true,
})
