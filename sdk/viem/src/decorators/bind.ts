import type { ReadClient } from '../types/client.js'
import type { Rollup } from '../types/rollup.js'

/** An action whose client and rollup are given. */
export type Bound<action> = action extends (client: ReadClient, ...rest: infer rest) => infer result
  ? rest extends readonly [infer parameters]
    ? {} extends Omit<parameters, 'rollup'>
      ? (parameters?: Omit<parameters, 'rollup'>) => result
      : (parameters: Omit<parameters, 'rollup'>) => result
    : () => result
  : never

/** Actions by name, each {@link Bound}. */
export type BoundActions<actions> = { [name in keyof actions]: Bound<actions[name]> }

type Action = (client: ReadClient, parameters: never) => unknown

/** Binds actions to a client and a rollup. */
export function bind<const actions extends Record<string, Action>>(
  actions: actions,
  client: ReadClient,
  rollup: Rollup,
): BoundActions<actions> {
  const bound = Object.entries(actions).map(([name, action]) => [
    name,
    (parameters?: object) => action(client, { rollup, ...parameters } as never),
  ])
  return Object.fromEntries(bound) as BoundActions<actions>
}
