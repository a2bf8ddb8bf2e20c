// What stands behind the gateway: simulated providers (`pinfold sim`) and the third-party mock.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from './check.mjs'
import { BINARY, end, freePort, scratch, start, tail } from './process.mjs'

/** What may befall a provider, in the words of /_sim/faults. */
export const SICKNESSES = {
  down: { down: true },
  failing: { add: ['any:503'] },
  throttled: { add: ['any:429=2s'] },
  hanging: { add: ['any:hang'] },
  resetting: { add: ['any:reset'] },
  'storing but answering 500': { add: ['add:stored-500'] },
  'storing but resetting': { add: ['add:stored-reset'] },
  'storing but hanging': { add: ['add:stored-hang'] },
  'answering nonsense': { add: ['any:garbage'] },
  'storing but answering nonsense': { add: ['add:stored-garbage'] },
  'refusing our token': { add: ['any:401'] }
}

/**
 * One simulated provider, scripted and inspected through its /_sim routes. `preset`: the service that it plays; `user`:
 * who may log in there, as NAME:PASSWORD; `flags`: further ones of `pinfold sim`.
 */
export class Sim {
  constructor (name, { pinAfter = '50ms', preset = 'generic', token = `token-of-${name}`, user, flags = [] } = {}) {
    this.name = name
    this.token = token
    this.flags = ['--pin-after', pinAfter, '--preset', preset, ...(user ? ['--user', user] : []), ...flags]
    this.log = join(scratch(), `${name}.log`)
  }

  async start () {
    await this.choosePort()
    const args = ['sim', '--listen', `127.0.0.1:${this.port}`, '--token', this.token, ...this.flags]
    this.child = start(BINARY, args, { log: this.log })
    await until(`sim ${this.name} listens`, () => this.child.ended !== undefined || this.stats())
    if (this.child.ended !== undefined) throw new Error(`sim ${this.name} ended at its start:\n${tail(this.log)}`)
    return this
  }

  /** For a provider that is in the config before it runs. */
  async choosePort () {
    this.port ??= await freePort()
    return this
  }

  entry (more = {}) {
    return { name: this.name, endpoint: this.url, token: this.token, ...more }
  }

  get url () { return `http://127.0.0.1:${this.port}` }

  async ask (path, options) {
    const answer = await fetch(this.url + path, { ...options, signal: AbortSignal.timeout(10_000) })
    if (!answer.ok) throw new Error(`${path} of sim ${this.name} answered ${answer.status}: ${await answer.text()}`)
    return answer.status === 204 ? {} : answer.json()
  }

  stats () { return this.ask('/_sim/stats') }
  pins () { return this.ask('/_sim/pins') }

  /** How many pins this provider holds, by the CIDv1 of their content. */
  async held () {
    const held = new Map()
    for (const { canonical_cid: cid } of await this.pins()) held.set(cid, (held.get(cid) ?? 0) + 1)
    return held
  }

  sicken (sickness) { return this.change('faults', SICKNESSES[sickness]) }
  heal () { return this.change('faults', { clear: true }) }

  change (what, body) {
    return this.ask(`/_sim/${what}`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body)
    })
  }

  stop () { return end(this.child) }
}

/** A server from npm in a process of its own, which keeps its pins over a restart; `spy` tells what it was asked. */
class Npm {
  constructor (name, script, token = `token-of-${name}`) {
    this.name = name
    this.token = token
    this.script = new URL(script, import.meta.url).pathname
    this.folder = scratch()
    this.starts = 0
  }

  async start () {
    this.port ??= await freePort()
    const log = join(this.folder, `${++this.starts}.log`)
    const args = [this.script, this.token, String(this.port), join(this.folder, 'state.json')]
    this.child = start(process.execPath, args, { log })
    const listens = () => {
      if (this.child.ended !== undefined) throw new Error(`${this.name} ended at its start:\n${tail(log)}`)
      return readFileSync(log, 'utf8').match(/^spy (\d+)\nport \d+$/m)
    }
    ;[, this.spyPort] = await until(`${this.name} listens`, listens)
    return this
  }

  entry (more = {}) {
    return { name: this.name, endpoint: this.url, token: this.token, ...more }
  }

  get url () { return `http://127.0.0.1:${this.port}` }

  async spy (path, body) {
    const options = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
    return (await fetch(`http://127.0.0.1:${this.spyPort}/${path}`, options)).json()
  }

  /** How often it was called since it started, such as `count('POST /pins')`. */
  async count (call) {
    return (await this.spy('calls')).filter((made) => made.split('?')[0] === call).length
  }

  /** A call of its user's own, past Pinfold. */
  async call (method, path, { body, token = this.token } = {}) {
    const answer = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      body: body && JSON.stringify(body)
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path} at ${this.name} answered ${answer.status}: ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  /** All its pins, whatever their status. */
  async pins (token) {
    return (await this.call('GET', `/pins?limit=1000&status=${ALL}`, { token })).results
  }

  stop () { return end(this.child) }
}

const ALL = 'queued,pinning,pinned,failed'

/** mock-ipfs-pinning-service: one pin a CID, and no check of anything. */
export class Mock extends Npm {
  constructor (name) { super(name, 'mock.mjs') }
}

/** @helia/pinning-service-api-server: many pins a CID, and a state machine of its own. It has only the blocks it is given. */
export class Helia extends Npm {
  constructor (name) { super(name, 'helia.mjs') }

  entry (more = {}) { return super.entry({ preset: 'helia', ...more }) }

  /** Puts the blocks of these texts, which `rawCid` names, where its node finds them. */
  give (...texts) { return this.spy('blocks', texts) }
}
