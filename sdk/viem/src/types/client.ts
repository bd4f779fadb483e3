import type { Account, Chain, Client, Transport } from 'viem'

/** Client of either chain, for reading. */
export type ReadClient = Client<Transport, Chain | undefined, Account | undefined>

/** Client that sends transactions: with an account of its own, or one in the parameters. */
export type SendClient = Client<Transport, Chain | undefined, Account | undefined>
