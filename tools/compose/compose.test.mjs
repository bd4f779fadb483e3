// compose.yaml: its parts fit together, and its commands run as processes on loopback addresses. No
// container is started.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const { parse } = createRequire(join(root, 'sdk/viem/package.json'))('yaml')
const read = (path) => readFileSync(join(root, path), 'utf8')

/** Folder of the volume in the containers. */
const VOLUME = '/var/lib/enshrine'
const { services, networks, volumes } = parse(read('compose.yaml'), { merge: true })
const nodes = Object.entries(services).filter(([name]) => name !== 'prometheus')
const addressOf = ({ networks: { rollup } }) => rollup.ipv4_address

test('addresses_ports_and_volumes_fit_together', () => {
  const all = Object.values(services)
  const addresses = all.map(addressOf)
  assert.equal(new Set(addresses).size, all.length)
  const [{ subnet }] = networks.rollup.ipam.config
  for (const address of addresses) assert.ok(address.startsWith(subnet.split('0/24')[0]), address)
  const ports = all.flatMap((service) => service.ports)
  assert.equal(new Set(ports.map((port) => port.split(':')[1])).size, ports.length)
  // The keys are known to everybody.
  for (const port of ports) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/)
  assert.deepEqual(Object.keys(volumes), ['net'])
  for (const [, service] of nodes)
    assert.match(service.volumes[0], /^net:\/var\/lib\/enshrine(:ro)?$/)
  assert.match(read('Dockerfile'), /--home-dir \/var\/lib\/enshrine /)
  // No image without a version.
  assert.match(services.prometheus.image, /:v\d+\.\d+\.\d+$/)
})

test('prometheus_scrapes_all_nodes_by_the_jobs_of_the_alarms', () => {
  const { scrape_configs: jobs, rule_files: rules } = parse(read('monitoring/prometheus.yml'))
  const targets = (job) => jobs.find((it) => it.job_name === job).static_configs[0].targets
  const [sequencer, ...followers] = nodes.map(([, service]) => `${addressOf(service)}:9545`)
  assert.deepEqual(targets('enshrine-sequencer'), [sequencer])
  assert.deepEqual(targets('enshrine-follower'), followers)
  for (const rule of rules) assert.ok(existsSync(join(root, 'monitoring', rule)))
})

test('commands_run_as_processes', async (t) => {
  const binary = process.env.ENSHRINE_BIN
  assert.ok(binary, 'set ENSHRINE_BIN to the path of the enshrine binary')
  const folder = mkdtempSync(join(tmpdir(), 'enshrine-compose-'))
  mkdirSync(join(folder, 'home'))
  const running = []
  t.after(async () => {
    for (const { child } of running) child.kill('SIGTERM')
    await Promise.all(running.map(({ ended }) => ended))
    rmSync(folder, { recursive: true, force: true })
  })
  // The same on 127.30.79.x, and on ports that nobody else uses.
  const local = (word, service) =>
    word
      .replace('=0.0.0.0', `=${addressOf(service)}`)
      .replaceAll('172.30.79.', '127.30.79.')
      .replace(':8545', ':28545')
      .replace(':9545', ':29545')
      .replace(VOLUME, join(folder, 'home'))
  const start = (service) => {
    const isLocalnet = service.command[0] === 'localnet'
    const ports = isLocalnet ? ['--l1-port=28545', '--l2-port=29545'] : ['--http-port=29545']
    const args = [...service.command.map((word) => local(word, service)), ...ports]
    const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    const node = { child, ended: once(child, 'exit'), log: '' }
    child.stderr.on('data', (data) => (node.log = (node.log + data).slice(-5_000)))
    running.push(node)
    return node
  }
  const until = async (what, node, condition) => {
    for (let tries = 0; !(await condition().catch(() => false)); tries += 1) {
      assert.ok(node.child.exitCode === null && tries < 600, `${what}: ${node.log}`)
      await sleep(100)
    }
  }

  const { localnet, ...followers } = Object.fromEntries(nodes)
  const first = start(localnet)
  const [command, option, path] = localnet.healthcheck.test
  assert.deepEqual([command, option], ['CMD', 'test'])
  assert.equal(path, '-e')
  const ready = local(localnet.healthcheck.test[3], localnet)
  await until('the localnet is not ready', first, async () => existsSync(ready))
  for (const service of Object.values(followers)) {
    assert.equal(service.depends_on.localnet.condition, 'service_healthy')
    const node = start(service)
    const url = `http://${local(addressOf(service), service)}:29545`
    const metrics = async () => (await fetch(`${url}/metrics`)).text()
    await until('the follower has no block', node, async () =>
      /^enshrine_rollup_safe_head [1-9]/m.test(await metrics()),
    )
  }
  const metrics = await fetch(`http://127.30.79.2:29545/metrics`)
  assert.match(await metrics.text(), /^enshrine_rollup_synced 1$/m)
})
