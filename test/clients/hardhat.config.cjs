// hardhat with a devnet as its network, at the address that the environment names.
require('@nomicfoundation/hardhat-ethers')

module.exports = {
  defaultNetwork: 'devnet',
  networks: { devnet: { url: process.env.DEVNET, accounts: 'remote' } },
}
