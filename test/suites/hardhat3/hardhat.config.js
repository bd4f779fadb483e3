import ethers from '@nomicfoundation/hardhat-ethers'
import ignition from '@nomicfoundation/hardhat-ignition-ethers'
import helpers from '@nomicfoundation/hardhat-network-helpers'

export default {
  plugins: [ethers, helpers, ignition],
  networks: { remote: { type: 'http', url: process.env.NODE } },
}
