// Tokens by the command line and the admin API of the real binary: made, used, rotated, revoked, killed in between.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { check, until } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway, TOKEN } from '../lib/gateway.mjs'
import { BINARY } from '../lib/process.mjs'
import { Sim } from '../lib/upstreams.mjs'

const FORM = /^pinfold_[0-9A-Za-z]{46}\n$/
const ROUNDS = 10

const alpha = await new Sim('alpha').start()
const gateway = await new Gateway({ providers: [alpha.entry()], policy: { copies: 1 }, api: { accept_wait: '0s' } }).start()
const adminToken = `${gateway.settings.store}.admin-token`
const secrets = []

/** Runs a command of the program to its end. */
async function pinfold (args, { config = true, env = {} } = {}) {
  const all = config ? [...args, '--config', gateway.file] : args
  const child = spawn(BINARY, all, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), new Promise((resolve) => child.on('exit', resolve))])
  return { code, stdout, stderr }
}

async function create (...args) {
  const { code, stdout, stderr } = await pinfold(['token', 'create', ...args])
  assert.equal(code, 0, stderr)
  assert.match(stdout, FORM)
  assert.ok(!stderr.includes(stdout.trim()))
  secrets.push(stdout.trim())
  return stdout.trim()
}

const list = async () => JSON.parse((await pinfold(['token', 'ls', '--all', '--json'])).stdout)
const code = async (token, method = 'GET', body) => (await gateway.request(method, '/pins', { token, body })).status
const again = async () => {
  await gateway.kill()
  gateway.spawn()
  await gateway.ready()
}

await check('the first admin token is beside the store, for its owner only, and stays over a restart', async () => {
  assert.equal(statSync(adminToken).mode & 0o777, 0o600)
  const first = readFileSync(adminToken, 'utf8')
  assert.match(first, FORM)
  secrets.push(first.trim())
  await again()
  assert.equal(readFileSync(adminToken, 'utf8'), first)
})

await check('a token goes to stdout alone, lets in at once, does what its scope says and no more', async () => {
  const reader = await create('--account', 'first', '--name', 'reader', '--scope', 'pins:read', '--expires', '90d')
  assert.equal(await code(reader), 200)
  const answer = await gateway.request('POST', '/pins', { token: reader, body: { cid: rawCid('no') } })
  assert.equal(answer.status, 403)
  assert.match(answer.body.error.details, /pins:write/)
  const writer = await create('--account', 'first', '--name', 'writer')
  assert.equal(await code(writer, 'POST', { cid: rawCid('yes') }), 202)
})

await check('what is listed tells who, from where, until when, and never a secret or its hash', async () => {
  const tokens = await list()
  const reader = tokens.find(({ name }) => name === 'reader')
  assert.equal(reader.last_from, '127.0.0.1')
  assert.ok(Date.now() - Date.parse(reader.last_used) < 60_000)
  assert.ok(Date.parse(reader.expires) - Date.now() > 89 * 86_400_000)
  assert.ok(tokens.some(({ name, source, account }) => name === 'outer' && source === 'config' && account === 'second'))
  const { stdout } = await pinfold(['token', 'ls'])
  assert.match(stdout, /reader +first +pins:read +active/)
  for (const secret of secrets) {
    const hash = createHash('sha256').update(secret).digest('hex')
    for (const shown of [stdout, JSON.stringify(tokens)]) assert.ok(!shown.includes(secret.slice(16)) && !shown.includes(hash))
  }
})

await check('a revoked token lets nobody in, from that moment on', async () => {
  const secret = await create('--account', 'first', '--name', 'gone')
  assert.equal(await code(secret), 200)
  assert.equal((await pinfold(['token', 'rm', 'gone'])).code, 0)
  assert.equal(await code(secret), 401)
  await again()
  assert.equal(await code(secret), 401)
  const { code: missing, stderr } = await pinfold(['token', 'rm', 'gone'])
  assert.equal(missing, 1)
  assert.match(stderr, /no live token `gone`/)
})

await check('a rotated token and its successor overlap, as long as was said', async () => {
  const old = await create('--account', 'second', '--name', 'rotated')
  const { stdout } = await pinfold(['token', 'rotate', 'rotated', '--overlap', '1h'])
  assert.match(stdout, FORM)
  secrets.push(stdout.trim())
  assert.deepEqual([await code(old), await code(stdout.trim())], [200, 200])
  const last = await pinfold(['token', 'rotate', 'rotated', '--overlap', '0s'])
  secrets.push(last.stdout.trim())
  assert.deepEqual([await code(stdout.trim()), await code(last.stdout.trim())], [401, 200])
  assert.equal((await pinfold(['token', 'rm', 'rotated'])).code, 0)
  assert.deepEqual([await code(old), await code(last.stdout.trim())], [401, 401], 'all of that name')
})

await check(`what was acknowledged is there after kill -9, ${ROUNDS} times (I1)`, async () => {
  for (let n = 0; n < ROUNDS; n++) {
    const [kept, gone] = [await create('--account', 'first', '--name', `kept-${n}`), await create('--account', 'first', '--name', `gone-${n}`)]
    assert.equal((await pinfold(['token', 'rm', `gone-${n}`])).code, 0)
    await again()
    assert.deepEqual([await code(kept), await code(gone)], [200, 401])
  }
})

await check('reads are open on this machine, writes are not; a foreign name is refused', async () => {
  const ask = (path, options = {}) => fetch(gateway.admin + path, options)
  assert.equal((await ask('/api/v1/tokens')).status, 200)
  assert.equal((await ask('/metrics')).status, 200)
  for (const headers of [{}, { authorization: `Bearer ${TOKEN}` }, { authorization: 'Bearer nonsense' }]) {
    const answer = await ask('/api/v1/tokens', { method: 'POST', headers, body: '{}' })
    assert.ok([401, 403].includes(answer.status))
    assert.ok((await answer.json()).error.details)
  }
  const rebound = await new Promise((resolve) => get(`${gateway.admin}/api/v1/tokens`, { headers: { host: 'rebound.example' } }, resolve))
  assert.equal(rebound.resume().statusCode, 401)
  const { code: refused, stderr } = await pinfold(['token', 'create', '--account', 'first', '--name', 'x'], { config: false, env: { PINFOLD_ADMIN_URL: gateway.admin } })
  assert.equal(refused, 7)
  assert.equal(stderr.trim().split('\n').length, 1)
  assert.match(stderr, /--admin-token-file/)
  const env = { PINFOLD_ADMIN_URL: gateway.admin, PINFOLD_ADMIN_TOKEN: readFileSync(adminToken, 'utf8').trim() }
  assert.equal((await pinfold(['token', 'create', '--account', 'first', '--name', 'by-env'], { config: false, env })).code, 0)
})

await check('without a gateway the client says so in one line; --offline makes tokens meanwhile, and only then', async () => {
  const running = await pinfold(['token', 'create', '--offline', '--account', 'first', '--name', 'early'])
  assert.equal(running.code, 1)
  assert.match(running.stderr, /in use by another pinfold process/)
  assert.equal(await gateway.stop(), 0)
  const unreachable = await pinfold(['token', 'ls'])
  assert.equal(unreachable.code, 6)
  assert.equal(unreachable.stderr.trim().split('\n').length, 1)
  const secret = await create('--offline', '--account', 'first', '--name', 'offline')
  const lost = await create('--offline', '--name', 'new-admin', '--scope', 'admin:write')
  rmSync(adminToken)
  gateway.spawn()
  await gateway.ready()
  assert.equal(await code(secret), 200)
  assert.ok(!existsSync(adminToken), 'there is an admin token, so that none is made up')
  const made = await pinfold(['token', 'create', '--account', 'first', '--name', 'later'], { env: { PINFOLD_ADMIN_TOKEN: lost } })
  assert.equal(made.code, 0, made.stderr)
  secrets.push(made.stdout.trim())
})

await check('an admin listener that others could reach is refused without tokens, with exit code 78', async () => {
  assert.equal(await gateway.stop(), 0)
  gateway.write(JSON.stringify({ ...gateway.config(), admin: { listen: '0.0.0.0:0' } }))
  const { code: refused, stderr } = await pinfold(['serve'])
  assert.equal(refused, 78)
  assert.match(stderr, /admin\.listen: .*admin\.tokens/)
})

await check('no secret is in the log, the database or any other file', async () => {
  await until('there are secrets to search for', () => secrets.length > 20)
  for (const name of readdirSync(gateway.folder, { recursive: true })) {
    const path = join(gateway.folder, name)
    if (!statSync(path).isFile()) continue
    const bytes = readFileSync(path)
    for (const secret of secrets) assert.ok(!bytes.includes(secret.slice(16)), `${secret.slice(0, 16)} is in ${name}`)
  }
})
process.exit()
