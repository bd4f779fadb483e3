// Packs the command for npm: @enshrine/cli, which `npx` runs, and a package with the binary of each
// given platform, on which it depends optionally. No script runs at installation, and nothing is
// downloaded but the packages themselves. Nothing is published from here.
//
//   node tools/npm/pack.mjs --out target/npm --binary linux-x64=target/release/enshrine

import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '../..')

/** Platforms in the names of Node.js, `process.platform` and `process.arch`. */
const PLATFORMS = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']
const NAME = '@enshrine/cli'

const { values } = parseArgs({
  options: { binary: { type: 'string', multiple: true }, out: { type: 'string' } },
})
if (!values.binary || !values.out) {
  throw new Error('--out FOLDER and --binary PLATFORM=FILE, once or more, are needed')
}
const binaries = values.binary.map((given) => given.split(/=(.*)/s).slice(0, 2))
for (const [platform] of binaries) {
  if (PLATFORMS.includes(platform)) continue
  throw new Error(`--binary is for ${platform}, expected one of ${PLATFORMS.join(', ')}`)
}

const workspace = readFileSync(join(root, 'Cargo.toml'), 'utf8').split('[workspace.package]')[1]
const field = (name) => workspace.match(new RegExp(`^${name} = "(.*)"$`, 'm'))[1]
const shared = {
  version: field('version'),
  license: field('license'),
  repository: { type: 'git', url: `git+${field('repository')}.git`, directory: 'tools/npm' },
  engines: { node: '>=20' },
}

/** Packs a folder made of a manifest and files, and returns the path of the archive. */
function pack(manifest, files) {
  const folder = join(resolve(values.out), manifest.name.replace('/', '-').slice(1))
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'bin'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  for (const [to, from] of Object.entries(files)) {
    copyFileSync(from, join(folder, to))
    chmodSync(join(folder, to), /^(bin\/|enshrine)/.test(to) ? 0o755 : 0o644)
  }
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', folder], {
    cwd: resolve(values.out),
    encoding: 'utf8',
  })
  rmSync(folder, { recursive: true })
  return join(resolve(values.out), JSON.parse(packed)[0].filename)
}

mkdirSync(resolve(values.out), { recursive: true })
const licences = ['LICENSE-APACHE', 'LICENSE-MIT'].map((name) => [name, join(root, name)])
const archives = binaries.map(([platform, binary]) => {
  const [os, cpu] = platform.split('-')
  const manifest = {
    name: `${NAME}-${platform}`,
    description: `The enshrine command for ${platform}; install ${NAME}`,
    ...shared,
    os: [os],
    cpu: [cpu],
    files: ['bin'],
  }
  return pack(manifest, { 'bin/enshrine': binary, ...Object.fromEntries(licences) })
})
const manifest = {
  name: NAME,
  description: 'A native rollup and an L1 with EXECUTE on your machine: npx enshrine localnet',
  ...shared,
  bin: { enshrine: 'enshrine.mjs' },
  files: ['enshrine.mjs'],
  optionalDependencies: Object.fromEntries(
    binaries.map(([platform]) => [`${NAME}-${platform}`, shared.version]),
  ),
}
archives.push(
  pack(manifest, { 'enshrine.mjs': join(here, 'enshrine.mjs'), ...Object.fromEntries(licences) }),
)
console.log(archives.join('\n'))
