// `pinfold serve` as a child: its config, its start, its end, and plain requests to it.
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from './check.mjs'
import { BINARY, end, freePort, scratch, start, tail } from './process.mjs'

export const TOKEN = 'outer-test-token-of-the-first-account'
export const OTHER_TOKEN = 'outer-test-token-of-the-second-account'
// An unanswered call that cannot be found is sent again only after both; the defaults would make the checks wait long.
const TIMEOUTS = { deadline: '4s', settle: '1s' }
const UNLIMITED = { read: 'none', write: 'none', failed_logins: 'none' }
export const ALL_STATUSES = 'queued,pinning,pinned,failed'
const PEER = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
const DELEGATE = `/dnsaddr/gateway.example.org/p2p/${PEER}`

export class Gateway {
  /**
   * `providers`: entries with name, endpoint and token. `policy`: what differs from two copies.
   * `api`, `engine`, `server`: keys of those sections. `store`: the database's path; by default in a folder of this
   * gateway's own. `lockWait`: how long it waits for another process to let go of that.
   * `presetsFile`: a file of presets, if any. `env`: what it finds in its environment. `limits`: by default none, for
   * most checks ask as fast as they can. `firstLimits`: those of the first account.
   */
  constructor ({ providers, policy = {}, api = {}, engine = {}, server = {}, store, lockWait, presetsFile, env, limits = UNLIMITED, firstLimits }) {
    this.folder = scratch()
    this.log = join(this.folder, 'pinfold.log')
    this.settings = { providers, policy, api, engine, server, lockWait, presetsFile, env, limits, firstLimits, store: store ?? join(this.folder, 'pinfold.db') }
  }

  async start () {
    this.port ??= await freePort()
    this.adminPort ??= await freePort()
    this.spawn()
    await this.ready()
    return this
  }

  /** Starts the program and returns at once: the kill test does not always wait until it is ready. */
  spawn () {
    this.write()
    this.child = start(BINARY, ['serve', '--config', this.file], { cwd: this.folder, log: this.log, env: this.settings.env })
  }

  get file () { return join(this.folder, 'config.yaml') }

  /** Puts the config, or `text`, in its place in one step, as editors and configuration management do. */
  write (text = JSON.stringify(this.config(), null, 2)) { // JSON is YAML
    writeFileSync(`${this.file}.new`, text)
    renameSync(`${this.file}.new`, this.file)
  }

  config () {
    const { providers, policy, api, engine, server, store, lockWait, presetsFile, limits, firstLimits } = this.settings
    return {
      server: { listen: `127.0.0.1:${this.port}`, ...server },
      admin: { listen: `127.0.0.1:${this.adminPort}` },
      store: { url: `sqlite:${store}`, ...(lockWait && { lock_wait: lockWait }) },
      api: { fallback_delegates: [DELEGATE], ...api },
      engine,
      limits,
      ...(presetsFile && { presets_file: presetsFile }),
      accounts: [
        { name: 'first', policy: 'default', ...(firstLimits && { limits: firstLimits }), tokens: [{ name: 'outer', secret: TOKEN }] },
        { name: 'second', policy: 'default', tokens: [{ name: 'outer', secret: OTHER_TOKEN }] }
      ],
      providers: providers.map((entry) => ({ preset: 'generic', timeouts: TIMEOUTS, ...entry })),
      policies: [{ name: 'default', copies: 2, ...policy }]
    }
  }

  async ready () {
    await until('the gateway is ready', async () => {
      if (this.child.ended !== undefined) return true
      return (await fetch(`${this.admin}/readyz`)).ok
    })
    if (this.child.ended !== undefined) {
      throw new Error(`pinfold serve ended with ${this.child.ended} before it was ready:\n${tail(this.log)}`)
    }
  }

  get url () { return `http://127.0.0.1:${this.port}` }
  get admin () { return `http://127.0.0.1:${this.adminPort}` }

  /** A request with the first account's token. Returns the status, headers and parsed body. */
  async request (method, path, { body, headers = {}, token = TOKEN, timeout = 30_000 } = {}) {
    const json = body !== undefined && typeof body !== 'string'
    const answer = await fetch(this.url + path, {
      method,
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers
      },
      body: json ? JSON.stringify(body) : body,
      signal: AbortSignal.timeout(timeout),
      redirect: 'manual'
    })
    const text = await answer.text()
    let parsed
    try { parsed = text === '' ? undefined : JSON.parse(text) } catch { parsed = text }
    return { status: answer.status, headers: answer.headers, body: parsed }
  }

  add (pin) { return this.accepted('POST', '/pins', pin) }
  replace (id, pin) { return this.accepted('POST', `/pins/${id}`, pin) }
  remove (id) { return this.accepted('DELETE', `/pins/${id}`) }

  /** A write that must be acknowledged. */
  async accepted (method, path, body) {
    const answer = await this.request(method, path, { body })
    if (answer.status !== 202) throw new Refused(`${method} ${path}`, answer)
    return answer.body
  }

  /** GET /pins with these parameters; all four statuses unless one is named. */
  async list (query = {}) {
    const answer = await this.request('GET', `/pins?${new URLSearchParams({ status: ALL_STATUSES, ...query })}`)
    if (answer.status !== 200) throw new Refused('GET /pins', answer)
    return answer.body
  }

  /** Every pin of the account, by pages of 1000 from the newest to the oldest. */
  async listAll () {
    const all = []
    let page
    do {
      const before = all.length ? { before: all.at(-1).created } : {}
      page = await this.list({ limit: 1000, ...before })
      all.push(...page.results)
    } while (page.count > page.results.length)
    return all
  }

  async pinned (id, within) {
    return until(`pin ${id} is pinned`, async () => {
      const { status, body } = await this.request('GET', `/pins/${id}`)
      if (status !== 200) throw new Error(`GET /pins/${id} answered ${status}`)
      return body.status === 'pinned' && body
    }, { within, every: 50 })
  }

  stop () { return end(this.child) }
  kill () { return end(this.child, 'SIGKILL') }
}

/** An answer that was not the one asked for; `status` tells a refusal from silence. */
export class Refused extends Error {
  constructor (what, answer) {
    super(`${what} answered ${answer.status}: ${JSON.stringify(answer.body)}`)
    this.status = answer.status
  }
}
