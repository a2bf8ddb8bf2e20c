// `pinfold doctor` against a service that is well and such as are not: its exit code, and what each bad line ends with.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { check } from '../lib/check.mjs'
import { Gateway } from '../lib/gateway.mjs'
import { BINARY, freePort, scratch } from '../lib/process.mjs'
import { Sim } from '../lib/upstreams.mjs'

const sim = await new Sim('alpha').start()
const gateway = await new Gateway({ providers: [sim.entry()], policy: { copies: 1 } }).start()

const folder = scratch()
const file = join(folder, 'config.yaml')
const nobody = `http://127.0.0.1:${await freePort()}`
const entries = {
  good: {},
  'wrong-path': { endpoint: `${sim.url}/psa` },
  'admin-port': { endpoint: gateway.admin },
  'wrong-token': { token: 'of-somebody-else' },
  'closed-port': { endpoint: nobody }
}
const providers = Object.entries(entries).map(([name, entry]) => ({ ...sim.entry(), account: name, ...entry, name }))
const accounts = [{ name: 'default', policy: 'default', tokens: [{ name: 'outer', secret: 'a-secret-in-the-file' }] }]
const policies = [{ name: 'default', copies: 1 }]
writeFileSync(file, JSON.stringify({ store: { url: `sqlite:${join(folder, 'pinfold.db')}` }, accounts, providers, policies }))
chmodSync(file, 0o600)

async function doctor (...args) {
  const child = spawn(BINARY, ['doctor', ...args, '--config', file], { env: {}, stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', (chunk) => { out += chunk })
  const [code] = await once(child, 'close')
  const lines = out.trimEnd().split('\n')
  for (const line of lines) assert.match(line, /^(ok {3}|warn |bad  )\S+: /, 'one line a finding')
  return { code, lines, bad: lines.filter((line) => line.startsWith('bad')) }
}

await check('a service that is well is ok: 0, and no bad line', async () => {
  const { code, lines, bad } = await doctor('good')
  assert.deepEqual([code, bad], [0, []])
  assert.ok(lines.includes('ok   good: credential: taken'), lines.join('\n'))
})

const CASES = {
  'wrong-path': ['speaks the API', 'correct the endpoint'],
  'admin-port': ['speaks the API', 'correct the endpoint'],
  'wrong-token': ['credential', "give the entry the service's current token"],
  'closed-port': ['connection', "the endpoint's port is right"]
}
for (const [name, [what, advice]] of Object.entries(CASES)) {
  await check(`${name}: 1, and one bad line that ends with what to do`, async () => {
    const { code, lines, bad } = await doctor(name)
    assert.equal(code, 1)
    assert.equal(bad.length, 1, lines.join('\n'))
    assert.ok(bad[0].startsWith(`bad  ${name}: ${what}: `) && bad[0].includes(advice), bad[0])
    assert.ok(bad[0].endsWith(`; then run: pinfold doctor ${name}`), bad[0])
    assert.ok(!lines.some((line) => line.startsWith(`ok   ${name}: credential`)), 'nobody took the credential')
  })
}

await check('all of it at once, and secrets that others may read', async () => {
  chmodSync(file, 0o644)
  const { code, bad } = await doctor()
  assert.equal(code, 1)
  assert.equal(bad.length, 1 + Object.keys(CASES).length, bad.join('\n'))
  assert.equal(bad[0], `bad  secrets: everybody may read ${file}; run: chmod o= ${file}`)
})
process.exit()
