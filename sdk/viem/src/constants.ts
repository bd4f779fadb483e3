import type { Address } from 'viem'

/** `L1Anchor`, a predeploy of every L2. */
export const anchorAddress: Address = '0x8079000000000000000000000000000000000001'

/** `L2Messenger`, a predeploy of every L2. */
export const messengerAddress: Address = '0x8079000000000000000000000000000000000002'

/** `L2Accounts`, a predeploy of every L2. */
export const accountsAddress: Address = '0x8079000000000000000000000000000000000003'
