// What stands behind the gateway: simulated providers (`pinfold sim`) and the third-party mock.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from './check.mjs'
import { BINARY, end, freePort, scratch, start, tail } from './process.mjs'

const MOCK = new URL('mock.mjs', import.meta.url).pathname

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

/** One simulated provider, scripted and inspected through its /_sim routes. */
export class Sim {
  constructor (name, { pinAfter = '50ms' } = {}) {
    this.name = name
    this.token = `token-of-${name}`
    this.pinAfter = pinAfter
    this.log = join(scratch(), `${name}.log`)
  }

  async start () {
    await this.choosePort()
    const args = ['sim', '--listen', `127.0.0.1:${this.port}`, '--token', this.token, '--pin-after', this.pinAfter]
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

/** The mock from npm, as a process of its own: its router keeps its settings in globals. */
export class Mock {
  constructor (name) {
    this.name = name
    this.token = `token-of-${name}`
    this.log = join(scratch(), `${name}.log`)
  }

  async start () {
    this.child = start(process.execPath, [MOCK, this.token], { log: this.log })
    const [, port] = await until(`mock ${this.name} listens`, () => readFileSync(this.log, 'utf8').match(/^port (\d+)$/m))
    this.port = port
    return this
  }

  entry (more = {}) {
    return { name: this.name, endpoint: `http://127.0.0.1:${this.port}`, token: this.token, ...more }
  }
}
