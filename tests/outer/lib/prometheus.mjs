// A real Prometheus on a free loopback port, with deploy/prometheus as it stands, only faster and at other targets.
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from './check.mjs'
import { end, freePort, scratch, start, tail } from './process.mjs'

export const DEPLOY = new URL('../../../deploy/', import.meta.url).pathname

export class Prometheus {
  /** `jobs`: the `host:port`s of each installation's gateways, by the job's name. */
  constructor (jobs) {
    this.folder = scratch()
    cpSync(join(DEPLOY, 'prometheus', 'rules'), join(this.folder, 'rules'), { recursive: true })
    const [first, ...others] = Object.entries(jobs).map(([name, targets]) => [name, JSON.stringify(targets)])
    const config = readFileSync(join(DEPLOY, 'prometheus', 'prometheus.yml'), 'utf8')
      .replaceAll('15s', '1s')
      .replace('[ "127.0.0.1:5081" ]', first[1])
    const more = others.map(([name, targets]) => `  - { job_name: ${name}, static_configs: [ { targets: ${targets} } ] }\n`)
    writeFileSync(join(this.folder, 'prometheus.yml'), config.replace(/^scrape_configs:\n/m, (head) => head + more.join('')))
  }

  async start () {
    this.port = await freePort()
    const log = join(this.folder, 'prometheus.log')
    const args = [`--web.listen-address=127.0.0.1:${this.port}`, '--config.file=prometheus.yml', '--storage.tsdb.path=data']
    this.child = start('prometheus', args, { cwd: this.folder, log })
    await until('Prometheus is ready', async () => this.child.ended !== undefined || (await fetch(`${this.url}/-/ready`)).ok)
    if (this.child.ended !== undefined) throw new Error(`prometheus ended at its start:\n${tail(log)}`)
    return this
  }

  get url () { return `http://127.0.0.1:${this.port}` }

  async ask (path, query = {}) {
    const answer = await (await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(query)}`)).json()
    if (answer.status !== 'success') throw new Error(`${path} ${JSON.stringify(query)}: ${answer.error}`)
    return answer.data
  }

  /** The series that a query gives now. */
  async query (query) { return (await this.ask('query', { query })).result }

  /** The series that a query gave in the last `seconds`, at every `step` of them. */
  async range (query, seconds, step = 1) {
    const now = Date.now() / 1000
    return (await this.ask('query_range', { query, start: now - seconds, end: now, step })).result
  }

  /** Every rule: its name, type, query, health. */
  async rules () { return (await this.ask('rules')).groups.flatMap(({ rules }) => rules) }

  stop () { return end(this.child) }
}
