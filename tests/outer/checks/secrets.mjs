// A run with a secret of its own in every place that can hold one, at services that refuse, renew, reset and echo them,
// logged as loudly as can be; then every byte that came out is searched for each of them.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { check, each, skip, until } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { echoes } from '../lib/echo.mjs'
import { Gateway } from '../lib/gateway.mjs'
import { BINARY, scratch } from '../lib/process.mjs'
import { Sim } from '../lib/upstreams.mjs'

const secrets = new Map() // by what they are
const came = new Map() // bytes, by where they came out

const keep = (what, secret) => secrets.set(what, secret).get(what)
const secret = (what) => keep(what, `s${randomBytes(18).toString('base64url')}`) // no flag, whatever is drawn
const jwt = (what, claims) => {
  const part = (value) => Buffer.from(value).toString('base64url')
  return keep(what, `${part('{"alg":"HS256"}')}.${part(JSON.stringify({ ...claims, jti: secret(`${what}, its jti`) }))}.${part(randomBytes(32))}`)
}
const pair = (what, user) => {
  const password = secret(what)
  keep(`${what}, as Basic`, Buffer.from(`${user}:${password}`).toString('base64'))
  return password
}
function out (where, bytes) {
  came.set(where, Buffer.concat([came.get(where) ?? Buffer.alloc(0), Buffer.from(bytes)]))
}

const USER = 'somebody@example.com'
const PROBED = ['everland', 'web3', 'cluster', 'w3ipfs', 'node', 'bearer-0', 'bearer-6', 'basic-2', 'basic-8', 'login-9', 'kubo-12']
const LONGEST_COMMAND_MS = 15_000
const room = scratch()
const file = (name, content) => {
  writeFileSync(join(room, name), content, { mode: 0o600 })
  return join(room, name)
}

const clients = { first: secret("a client's token"), second: secret("another client's token, in a file"), third: secret("a third client's token, hashed") }
const tokens = {
  everland: secret("4EVERLAND's token"),
  pinata: jwt("Pinata's token", { exp: Math.floor(Date.now() / 1000) + 3600 }),
  filebase: secret("Filebase's token"),
  nft: secret("NFT.Storage's token"),
  node: secret("a Kubo node's token"),
  wrong: jwt('a token that is refused', {}),
  web3: secret('a token that is refused and echoed')
}
const passwords = {
  w3ipfs: pair("W3IPFS's password", USER),
  fula: pair("Fula's password", USER),
  cluster: pair("IPFS Cluster's password", USER),
  refused: pair('a password that is refused', USER)
}
const pasted = [jwt('a pasted access token', { exp: 4e9 }), jwt('a pasted refresh token', {})]
const presets = file('presets.yaml', JSON.stringify({
  w3ipfs: { login: { refresh_url: '/api/auth/refresh' } },
  echoing: { title: 'one that echoes', as_of: '2026-11-21', auth: ['login'], login: { url: 'login', style: 'email', token: 'access_token' } }
}))

const sim = (name, preset, options) => new Sim(name, { preset, user: `${USER}:${passwords[name] ?? 'none'}`, token: tokens[name], ...options })
const short = JSON.stringify({ access_life: '4s', login: { refresh_url: '/api/auth/refresh' } })
const sims = [
  sim('everland', '4everland'), sim('pinata', 'pinata'), sim('filebase', 'filebase'), sim('nft', 'nft.storage'),
  sim('wrong', 'fula', { token: secret('the right one of a token that is refused') }),
  sim('web3', 'web3.storage', { token: secret('the right one of a token that is refused and echoed') }),
  sim('w3ipfs', 'w3ipfs', { flags: ['--behaviour', short] }), sim('fula', 'fula'), sim('cluster', 'ipfs-cluster'),
  sim('refused', 'w3ipfs', { user: `${USER}:${secret('the right one of a password that is refused')}` }),
  sim('pasted', 'w3ipfs', { token: pasted[0] }), sim('node', 'kubo')
]
await each(sims, 4, (one) => one.start())
const at = (name) => sims.find((one) => one.name === name)
const ways = await echoes()
const base64 = (what) => keep(what, `${randomBytes(9).toString('hex')}+${randomBytes(9).toString('hex')}/${randomBytes(9).toString('hex')}==`)
const echoed = (how, n) => ({ user: USER, password: pair(`a password of ${how} that is echoed in way ${n}`, USER) })
const entry = (name, preset, credential, url = at(name).url) => ({ name, preset, endpoint: url, ...credential })
const tokenFile = file('everland-token', tokens.everland)
const providers = [
  entry('everland', '4everland', { token_file: tokenFile }),
  entry('pinata', 'pinata', { token_env: 'PINATA_TOKEN' }),
  entry('filebase', 'filebase', { token: tokens.filebase }),
  entry('nft', 'nft.storage', { token: tokens.nft }),
  entry('wrong', 'fula', { token: tokens.wrong }),
  entry('web3', 'web3.storage', { token: tokens.web3 }),
  entry('w3ipfs', 'w3ipfs', { login: { user: USER, password_env: 'W3IPFS_PASSWORD' } }),
  entry('fula', 'fula', { login: { user: USER, password_file: file('fula-password', passwords.fula) } }),
  entry('cluster', 'ipfs-cluster', { login: { user: USER, password: passwords.cluster } }),
  entry('refused', 'w3ipfs', { login: { user: USER, password: passwords.refused } }),
  entry('pasted', 'w3ipfs', { login: { user: USER } }),
  entry('node', 'kubo', { token: tokens.node }),
  ...ways.flatMap(({ url }, n) => [
    entry(`bearer-${n}`, 'generic', { exclusive: true, token: base64(`a token that is echoed in way ${n}`) }, `${url}/bearer`),
    entry(`basic-${n}`, 'generic', { login: echoed('basic', n) }, `${url}/basic`),
    entry(`login-${n}`, 'echoing', { login: echoed('login', n) }, `${url}/login`),
    entry(`kubo-${n}`, 'kubo', { token: base64(`a node's token that is echoed in way ${n}`) }, `${url}/kubo`)
  ])
]

/** With accounts of this run's own, and a log that holds back nothing. */
class Loud extends Gateway {
  config () {
    const account = (name, secret) => ({ name, tokens: [{ name: 'outer', ...secret }] })
    const accounts = [
      account('first', { secret: clients.first }),
      account('second', { secret_file: file('second-client', clients.second) }),
      account('third', { sha256: this.hashed })
    ]
    const usual = super.config()
    // Each copy is looked at every other second, so that credentials are used and renewed.
    const providers = usual.providers.map((provider) => ({ ...provider, audit: 'off' }))
    return { ...usual, providers, accounts, log: { filter: 'trace', format: this.format } }
  }

  /** As always, and everything that came back is kept. */
  async request (method, path, options = {}) {
    const answer = await super.request(method, path, { token: clients.first, ...options })
    out(`${method} ${path.split('?')[0].replace(/[\w-]{36}/, 'ID')}`, JSON.stringify([...answer.headers, answer.body]))
    return answer
  }
}

const gateway = new Loud({
  providers,
  policy: { copies: 'all', pinned_when: 1 },
  api: { accept_wait: '200ms' },
  engine: { retry_max: '1s', poll_max: '1s', verify_every: '2s' },
  presetsFile: presets,
  env: { PINATA_TOKEN: tokens.pinata, W3IPFS_PASSWORD: passwords.w3ipfs }
})
const credentials = `${gateway.settings.store}.credentials`
const adminToken = `${gateway.settings.store}.admin-token`

/** Runs a command of the program to its end; what it said is kept. */
async function command (args, { input = '', env = gateway.settings.env } = {}) {
  const child = spawn(BINARY, args, { env: { PATH: process.env.PATH, ...env } })
  const limit = setTimeout(() => child.kill(), LONGEST_COMMAND_MS) // a probe's table is not what is judged here
  child.stdin.on('error', () => {}).end(input) // not all of them read
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), new Promise((resolve) => child.on('exit', resolve))])
  clearTimeout(limit)
  out(`pinfold ${args.slice(0, 3).filter((arg) => !arg.startsWith('/')).join(' ')}`, stdout + stderr)
  return { code, stdout, stderr }
}

/** Its file is one of the things that come out. */
async function probe (name) {
  const write = join(room, `probed-${name}.yaml`)
  await command(['provider', 'probe', name, '--config', join(gateway.folder, 'config.yaml'), '--write', write, '--beside-gateway'])
  if (existsSync(write)) out(`what the probe of ${name} wrote`, readFileSync(write))
}

/** A token that the gateway makes; only the answer with its secret in it is not kept. */
async function useStored (config) {
  const authorization = `Bearer ${keep('the first admin token', readFileSync(adminToken, 'utf8').trim())}`
  const body = JSON.stringify({ name: 'made', account: 'first' })
  const answer = await fetch(`${gateway.admin}/api/v1/tokens`, { method: 'POST', headers: { authorization }, body })
  const token = keep('a token of the store', (await answer.json()).secret)
  assert.equal((await gateway.request('GET', '/pins', { token })).status, 200)
  assert.equal((await gateway.request('GET', '/pins', { token: `${token.slice(0, -1)}_` })).status, 401)
  for (const args of [['ls', '--all'], ['ls', '--json'], ['rm', 'made']]) {
    const { code, stderr } = await command(['token', ...args, '--config', config])
    assert.equal(code, 0, stderr)
  }
  assert.equal((await gateway.request('GET', '/pins', { token })).status, 401)
}

/** The tokens that services issue are known from where they are kept, and that place is for its owner only. */
function lookIntoCredentials () {
  for (const name of existsSync(credentials) ? readdirSync(credentials) : []) {
    const path = join(credentials, name)
    if (!name.endsWith('.json')) continue
    const kept = JSON.parse(readFileSync(path, 'utf8'))
    assert.equal(statSync(path).mode & 0o077, 0)
    for (const what of ['access', 'refresh']) if (kept[what]) keep(`${what} token of ${name} ${kept[what].slice(-8)}`, kept[what])
  }
}
const looking = setInterval(lookIntoCredentials, 50)
const issued = (name, what) => [...secrets.keys()].filter((key) => key.startsWith(`${what} token of ${name}.json`)).length

async function use () {
  const pins = []
  for (let n = 0; n < 4; n++) pins.push(await gateway.add({ cid: rawCid(`secret ${n} ${Math.random()}`), name: `pin ${n}`, meta: { n: `${n}` } }))
  await gateway.pinned(pins[0].requestid)
  await gateway.replace(pins[1].requestid, { cid: rawCid('other'), name: 'other' })
  await gateway.remove(pins[2].requestid)
  await gateway.list({ limit: 1000 })
  for (const { requestid } of pins) await gateway.request('GET', `/pins/${requestid}`)
  const strangers = [secret('a token that is no client\'s'), `${clients.first}x`]
  for (const token of strangers) assert.equal((await gateway.request('GET', '/pins', { token })).status, 401)
  await gateway.request('GET', '/pins', { token: clients.second })
  await gateway.request('GET', '/pins', { token: clients.third })
  await gateway.request('POST', '/pins', { body: 'no JSON' })
  await gateway.request('GET', '/nowhere')
  for (const path of ['/metrics', '/readyz', '/livez', '/nowhere']) {
    const answer = await fetch(gateway.admin + path)
    out(`admin ${path}`, JSON.stringify([...answer.headers]) + await answer.text())
  }
  return pins[0]
}

await check('commands say nothing that they should not, of a right config and of a wrong one', async () => {
  gateway.hashed = (await command(['token', 'hash'], { input: `${clients.third}\n` })).stdout.match(/[0-9a-f]{64}/)[0]
  Object.assign(gateway, { port: 1, adminPort: 2, format: 'text' })
  const right = file('right.yaml', JSON.stringify(gateway.config()))
  const checked = await command(['check-config', '--print-effective', '--config', right])
  assert.equal(checked.code, 0, checked.stderr)
  assert.ok(checked.stdout.includes('everland'))
  const wrong = JSON.parse(readFileSync(right, 'utf8'))
  wrong.providers[3].tokenn = tokens.nft
  wrong.providers[5].preset = 'no-such'
  wrong.accounts[0].tokens.push({ name: 'outer', secret: clients.first, sha256: clients.second })
  wrong.providers[9].login.password = passwords.fula
  const told = await command(['check-config', '--config', file('wrong.yaml', JSON.stringify(wrong, null, 2))])
  assert.notEqual(told.code, 0)
  await command(['check-config', '--config', file('broken.yaml', `accounts: [\n  "${clients.first}": {{\n${tokens.web3}\n`)])
  Object.assign(gateway, { port: undefined, adminPort: undefined })
})

let pin
await check('a run with log lines as text: refusals, echoes, log-ins, renewals, a pasted pair; then a crash', async () => {
  gateway.format = 'text'
  await gateway.start()
  const config = join(gateway.folder, 'config.yaml')
  const logged = await command(['provider', 'login', 'pasted', '--pair', '--config', config], { input: pasted.join('\n') + '\n' })
  assert.equal(logged.code, 0, logged.stderr)
  await useStored(config)
  pin = await use()
  await until('W3IPFS renewed its pair', () => issued('w3ipfs', 'access') >= 2 && issued('w3ipfs', 'refresh') >= 2, { within: 15_000 })
  await until('all who echo were sent their credentials', () => ways.every(({ seen }) => seen.size === 4))
  await until('the log tells of refusals', () => /\b401\b/.test(readFileSync(gateway.log, 'utf8')))
  await gateway.kill()
})

await check('a run with log lines as JSON: a reset token and the new one, probes, presets', async () => {
  gateway.format = 'json'
  await gateway.start()
  await use()
  const fresh = secret("4EVERLAND's token after its reset")
  await at('everland').change('token', { token: fresh })
  const late = await gateway.add({ cid: rawCid(`late ${Math.random()}`), name: 'late' })
  writeFileSync(tokenFile, fresh)
  await until('the new token is used', async () => {
    const { body } = await gateway.request('GET', `/pins/${late.requestid}`)
    return body.info['copy.everland']?.startsWith('pinned')
  }, { every: 200 })
  await gateway.request('GET', `/pins/${pin.requestid}`)
  const config = join(gateway.folder, 'config.yaml')
  for (const args of [['presets'], ['presets', 'w3ipfs', '--config', config]]) await command(['provider', ...args])
  const { stderr } = await command(['provider', 'probe', '--help'])
  if (stderr.includes('unrecognized subcommand')) skip('pinfold provider probe', 'this program has no such command yet')
  else await each(PROBED, 4, probe)
  assert.equal(await gateway.stop(), 0)
})
clearInterval(looking)
lookIntoCredentials()

/** The same as text, in JSON, in a URL, in base64 at each of its three offsets, and halves of it. */
function spellings (value) {
  const bytes = Buffer.from(value)
  const shifted = [0, 1, 2].map((by) => {
    const whole = Buffer.concat([Buffer.alloc(by), bytes]).toString('base64').replaceAll('=', '')
    return whole.slice(by === 0 ? 0 : by + 1, -1) // without what neighbours have a part in
  })
  const half = Math.ceil(value.length / 2)
  const all = [value, encodeURIComponent(value), ...shifted, ...shifted.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'))]
  if (half > 10) all.push(value.slice(0, half), value.slice(-half))
  return [...new Set([...all, bytes.toString('hex')])]
}

function leaks (haystacks) {
  const found = []
  for (const [what, value] of secrets) {
    for (const needle of spellings(value)) {
      for (const [where, bytes] of haystacks) if (bytes.includes(needle)) found.push(`${what}: in ${where} as ${needle.slice(0, 6)}...`)
    }
  }
  return found
}

await check(`each of the ${secrets.size} secrets would be found`, () => {
  for (const [what, value] of secrets) {
    const ways = [value, JSON.stringify({ a: value }), `x${Buffer.from(`user:${value}`).toString('base64')}`, `?t=${encodeURIComponent(value)}&`, `${value.slice(0, Math.ceil(value.length / 2))}...`]
    for (const way of ways) assert.ok(leaks([['here', Buffer.from(way)]]).some((leak) => leak.startsWith(what)), `${what} as ${way}`)
  }
})

await check('there is a loud log and a database to search', () => {
  const log = readFileSync(gateway.log, 'utf8')
  for (const level of ['TRACE', 'DEBUG', 'INFO', 'WARN']) assert.ok(log.includes(level), level)
  assert.match(log, /^{"timestamp"/m)
  assert.ok(statSync(gateway.settings.store).size > 10_000)
})

await check('none of them is in any log, answer, metric, command or file but where it is meant to be', () => {
  const ours = [join(gateway.folder, 'config.yaml'), adminToken]
  for (const name of readdirSync(gateway.folder, { recursive: true })) {
    const path = join(gateway.folder, name)
    if (statSync(path).isFile() && !ours.includes(path) && !path.startsWith(credentials)) out(`the file ${name}`, readFileSync(path))
  }
  for (const one of sims) out(`the log of the simulated ${one.name}`, readFileSync(one.log))
  assert.deepEqual(leaks(came), [])
})
process.exit()
