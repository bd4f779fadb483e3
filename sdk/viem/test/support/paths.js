import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Folder of the package. */
export const packageFolder = join(dirname(fileURLToPath(import.meta.url)), '../..')

/** Root of the repository. */
export const root = join(packageFolder, '../..')
