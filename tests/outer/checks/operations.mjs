// The five minutes of docs/operations.md, from nothing to an alert: its own blocks, typed into one shell. Only ports differ,
// and Prometheus looks every second.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { check, skip, until } from '../lib/check.mjs'
import { BINARY, freePort, scratch, start, tail } from '../lib/process.mjs'
import { DEPLOY } from '../lib/prometheus.mjs'

const PORTS = ['5080', '5081', '3101', '3102', '9090']
const WITHIN = 60_000
const PROGRAMS = ['prometheus', 'promtool', 'curl']

const missing = PROGRAMS.filter((program) => spawnSync(program, ['--version']).error)
if (missing.length) {
  skip('the five minutes', `not installed: ${missing.join(', ')}`)
  process.exit()
}

const page = readFileSync(join(DEPLOY, '..', 'docs', 'operations.md'), 'utf8')
const section = page.split(/^## /m).find((part) => part.startsWith('Five minutes'))
const blocks = [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block)

const others = new Map()
for (const port of PORTS) others.set(port, String(await freePort()))
const elsewhere = (text) => text.replace(/(127\.0\.0\.1:)(\d+)/g, (_, host, port) => host + (others.get(port) ?? assert.fail(`port ${port}`)))

/** Where the reader is: the unpacked tarball, with the programs in the path. They end with their shell, however that ends. */
function unpack () {
  const folder = scratch()
  cpSync(join(DEPLOY, 'prometheus'), join(folder, 'deploy', 'prometheus'), { recursive: true })
  const config = join(folder, 'deploy', 'prometheus', 'prometheus.yml')
  writeFileSync(config, elsewhere(readFileSync(config, 'utf8').replace(/^ *#.*\n/gm, '')).replaceAll('15s', '1s'))
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  for (const [name, program] of [['pinfold', BINARY], ['prometheus', 'prometheus']]) {
    const path = program === BINARY ? BINARY : spawnSync('which', [program], { encoding: 'utf8' }).stdout.trim()
    writeFileSync(join(bin, name), `#!/bin/sh\nexec setpriv --pdeathsig KILL ${path} "$@"\n`, { mode: 0o755 })
  }
  return { folder, env: { PATH: `${bin}:${process.env.PATH}` } }
}

const { folder, env } = unpack()
const log = join(folder, 'typed.log')
const script = blocks.map((block, index) => `${elsewhere(block)}echo "block ${index + 1} is done"`).join('\n')
writeFileSync(join(folder, 'typed.sh'), `set -euxo pipefail\n${script}\nwait\n`)
const shell = start('bash', ['typed.sh'], { cwd: folder, env, log })
const said = () => existsSync(log) ? readFileSync(log, 'utf8') : ''

for (const [index, block] of blocks.entries()) {
  const first = block.split('\n')[0].slice(0, 60)
  await check(`block ${index + 1} of ${blocks.length} does what it says: ${first}`, async () => {
    const done = `block ${index + 1} is done`
    await until(done, () => shell.ended !== undefined || said().includes(`\n${done}\n`), { within: WITHIN })
    assert.ok(said().includes(`\n${done}\n`), tail(log))
  })
  if (process.exitCode) process.exit()
}

await check('the reader saw the pin, both services, and the alert', () => {
  const text = said()
  for (const what of [/"status":"pinned"/, /pinfold_provider_up\{[^}]*provider="alpha"[^}]*\} => 1/, /"alertname":"PinfoldProviderFailing"/]) assert.match(text, what)
})

await check('everything that was started has ended', async () => {
  await until('the shell ends', () => shell.ended !== undefined)
  assert.equal(shell.ended, 0, tail(log))
})
process.exit()
