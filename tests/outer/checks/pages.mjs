// The command lines of the services' own documentation pages, typed at Pinfold instead, over a simulated provider that
// speaks as that service does: only the host and the token differ.
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { Remote } from '../lib/boxo.mjs'
import { check, each, skip, until } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway, TOKEN } from '../lib/gateway.mjs'
import { PAGES } from '../lib/pages.mjs'
import { Sim } from '../lib/upstreams.mjs'

const AT_ONCE = 3
const USER = 'you@example.com'
const PASSWORD = 'outer-test-password'
const run = promisify(execFile)

/** Runs the real curl; what it was answered. */
async function curl (url, { method, headers = [], body, form = [], basic }) {
  const args = ['--disable', '--noproxy', '*', '--silent', '--show-error', '--write-out', '\n%{http_code} %{content_type}']
  if (method) args.push('-X', method)
  for (const header of headers) args.push('-H', header)
  for (const part of form) args.push('-F', part)
  if (basic) args.push('-u', basic)
  if (body) args.push('-d', JSON.stringify(body, null, 2))
  const { stdout } = await run('curl', [...args, url])
  const end = stdout.lastIndexOf('\n')
  const [status, type] = stdout.slice(end + 1).split(' ')
  const text = stdout.slice(0, end)
  if (text !== '') assert.match(type, /^application\/json/)
  return { status: Number(status), body: text === '' ? undefined : JSON.parse(text) }
}

/** One service: its simulated provider, a Pinfold over that alone, and a user who types. */
class Typist {
  constructor (page) {
    this.page = page
    this.path = new URL(page.base).pathname.replace(/\/$/, '')
    this.sim = new Sim(page.preset.replaceAll('.', '-'), { preset: page.preset, token: page.token, user: page.login && `${USER}:${PASSWORD}` })
    this.cids = 0
    this.pin = undefined // the last that was made
    this.made = [] // CIDs of what was made and not removed since
  }

  async start () {
    await this.sim.start()
    const { preset, login, base } = this.page
    const credential = login ? { token: undefined, login: { user: USER, password_env: 'PAGE_PASSWORD' } } : {}
    const slash = base.endsWith('/') ? '/' : ''
    this.gateway = new Gateway({
      providers: [this.sim.entry({ preset, endpoint: this.sim.url + this.path + slash, ...credential })],
      policy: { copies: 1 },
      env: { PAGE_PASSWORD: PASSWORD }
    })
    await this.gateway.start()
    return this
  }

  /** The page's host is Pinfold's here; paths stay. */
  here (endpoint) { return this.gateway.url + new URL(endpoint).pathname }

  fill (text) {
    const filled = { token: TOKEN, id: this.pin?.requestid, created: this.pin?.created, user: USER, password: PASSWORD }
    return text.replace(/{(\w+)}/g, (_, what) => filled[what] ?? assert.fail(`nothing to fill in for ${what}`))
  }

  /** `{cid}` is a new one where something is made, else that of the last pin. */
  withCid (text, makes) {
    return text.replace(/{cid}/g, () => (makes || !this.pin ? rawCid(`${this.page.preset} ${++this.cids}`) : this.pin.pin.cid))
  }

  async request (line) {
    const makes = ['adds', 'replaces'].includes(line.does)
    const filled = (value) => JSON.parse(this.fill(this.withCid(JSON.stringify(value), makes)))
    const url = this.gateway.url + this.path + this.fill(this.withCid(line.path, makes))
    return curl(url, { ...line, headers: line.headers.map((header) => this.fill(header)), body: line.body && filled(line.body) })
  }

  async type (line) {
    if (line.does === 'ipfs service add') {
      this.remote = new Remote(this.here(line.endpoint), TOKEN)
    } else if (line.does === 'ipfs add') {
      const cid = this.withCid(line.cid, true)
      this.keep(await this.remote.add(cid, { name: line.name }))
      assert.deepEqual([this.pin.pin.cid, this.pin.pin.name], [cid, line.name])
    } else if (line.does === 'ipfs ls') {
      const found = await this.remote.ls(this.query(line))
      assert.equal(found.some(({ requestid }) => requestid === this.pin.requestid), line.finds)
    } else if (line.does === 'ipfs rm') {
      const removed = await this.remote.rm(this.query(line))
      assert.equal(removed.length, line.gone)
      for (const { pin } of removed) this.forget(pin.cid)
    } else await this.typeCurl(line)
  }

  query ({ query }) {
    return query.cid ? { ...query, cid: this.withCid(query.cid, false) } : query
  }

  async typeCurl (line) {
    const { status, body } = await this.request(line)
    const seen = `${status} ${JSON.stringify(body)}`
    if (line.does === 'refused') {
      assert.equal(status, 404, seen)
      assert.ok(body.error.reason && body.error.details, seen)
    } else if (line.does === 'lists') {
      assert.equal(status, 200, seen)
      assert.equal(body.results.some(({ requestid }) => requestid === this.pin?.requestid), line.finds, seen)
    } else if (line.does === 'shows') {
      assert.equal(status, 200, seen)
      assert.equal(body.requestid, this.pin.requestid)
    } else {
      assert.equal(status, 202, seen)
      if (line.does !== 'adds') this.forget(this.pin.pin.cid)
      if (line.does !== 'removes') this.keep(await this.gateway.pinned(body.requestid))
    }
  }

  keep (pin) {
    this.pin = pin
    this.made.push(pin.pin.cid)
  }

  forget (cid) {
    this.made.splice(this.made.indexOf(cid), 1)
  }

  /** The page's way to tokens, typed at the service: what it gives lets one in there. */
  async logIn ({ path, headers, body, basic, tokens }) {
    const filled = { headers, body: body && JSON.parse(this.fill(JSON.stringify(body))), basic: basic && `${USER}:${PASSWORD}` }
    const answer = await curl(this.sim.url + path, { method: 'POST', ...filled })
    assert.equal(answer.status, 200)
    for (const token of tokens) assert.equal(typeof answer.body[token], 'string', token)
    const list = await curl(`${this.sim.url}${this.path}/pins`, { headers: [`Authorization: Bearer ${answer.body[tokens[0]]}`] })
    assert.equal(list.status, 200)
  }

  async settled () {
    await until('the service holds what was not removed', async () => {
      const held = await this.sim.held()
      return held.size === this.made.length && [...held.values()].every((times) => times === 1)
    })
  }
}

if (spawnSync('curl', ['--version']).error) {
  skip('the lines of the pages', 'curl is not installed')
  process.exit()
}

await each(PAGES, AT_ONCE, async (page) => {
  const typist = new Typist(page)
  await check(`${page.preset}: all ${page.lines.length + (page.login ? 1 : 0)} lines of its pages do at Pinfold what they say`, async () => {
    await typist.start()
    if (page.login) await typist.logIn(page.login)
    for (const line of page.lines) {
      await typist.type(line).catch((error) => {
        throw new Error(`${JSON.stringify(line)}: ${error.message}`, { cause: error })
      })
    }
    await typist.settled()
  })
})
process.exit()
