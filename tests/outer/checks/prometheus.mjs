// deploy/ judged by a real Prometheus that watches a gateway: every panel, rule, label, alert and runbook.
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { check, each, skip, until } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway } from '../lib/gateway.mjs'
import { BINARY } from '../lib/process.mjs'
import { DEPLOY, Prometheus } from '../lib/prometheus.mjs'
import { fits, groupings, parseScrape, selectors } from '../lib/promql.mjs'
import { Sim } from '../lib/upstreams.mjs'

const run = promisify(execFile)
const DAY = 86_400
const AT_ONCE = 4
const PINS = 20
// What Prometheus itself adds to a series, or knows of an alert.
const TARGET = ['job', 'instance']
const OF_ALERTS = ['alertname', 'alertstate', 'severity', ...TARGET]
const INSTALLATIONS = ['pinfold', 'pinfold-sealed']
// Grafana's variables, as it would fill them in.
const FILLED = { job: INSTALLATIONS[0], provider: '.+', account: '.+', __rate_interval: '30s', datasource: 'prometheus' }

const fill = (text) => text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced, bare) => FILLED[braced ?? bare] ?? assert.fail(`nobody fills in ${whole}`))
const rules = join(DEPLOY, 'prometheus', 'rules')
const tests = join(DEPLOY, 'prometheus', 'tests')
const folder = join(DEPLOY, 'grafana', 'dashboards')
const dashboards = readdirSync(folder).map((file) => ({ file, ...JSON.parse(readFileSync(join(folder, file), 'utf8')) }))
const panels = dashboards.flatMap(({ uid, panels }) => panels.filter(({ type }) => type !== 'row').map((panel) => ({ uid, ...panel })))
const queries = panels.flatMap(({ uid, title, type, targets }) =>
  targets.map((target) => ({ where: `${uid}, ${title}, ${target.refId}`, type, ...target, filled: fill(target.expr) })))
const runbooks = readFileSync(join(DEPLOY, '..', 'docs', 'runbooks.md'), 'utf8')

/** A token as services give them out, that says when it ends. */
function jwt (seconds) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ sub: 'outer', exp: Math.floor(Date.now() / 1000) + seconds })}.sig`
}

/** One of whatever has series of its own: a budget, a token that ends, a quota, a route. */
class Watched extends Gateway {
  config () {
    const config = super.config()
    config.accounts[0].quota = { pins: 1000, pins_per_day: 1000, meta_bytes: '1MiB' }
    config.routes = [{ name: 'backups', when: { name: 'backup-*' }, policy: 'default' }]
    return config
  }
}

/** The same over TLS, which has series, too. Nobody asks it anything. */
class Sealed extends Gateway {
  config () {
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '60', '-subj', '/CN=localhost']
    execFileSync('openssl', ['req', '-x509', ...made, '-keyout', join(this.folder, 'tls.key'), '-out', join(this.folder, 'tls.pem')], { stdio: 'pipe' })
    const config = super.config()
    config.server.tls = { cert: 'tls.pem', key: 'tls.key' }
    return config
  }
}

function need (program) {
  if (!spawnSync(program, ['--version']).error) return
  skip('dashboards, rules and alerts', `${program} is not installed (Debian: the package ${program === 'openssl' ? 'openssl' : 'prometheus'})`)
  process.exit()
}
for (const program of ['prometheus', 'promtool', 'openssl']) need(program)

const files = (folder) => readdirSync(folder).map((file) => join(folder, file))
// Beside all else: it takes seconds, of which the gateways need few.
const promtool = Promise.allSettled([Promise.all([
  run('promtool', ['check', 'config', join(DEPLOY, 'prometheus', 'prometheus.yml')]),
  run('promtool', ['check', 'rules', '--lint=all', '--lint-fatal', ...files(rules)]),
  run('promtool', ['test', 'rules', ...files(tests)])
])]).then(([outcome]) => outcome)

const sims = await Promise.all([new Sim('alpha', { token: jwt(60 * DAY) }).start(), new Sim('beta').start()])
const budget = { list: '600/min', read: '600/min', write: '600/min', any: '1200/min' }
const providers = [sims[0].entry({ budget }), sims[1].entry()]
const watched = new Watched({ providers })
const sealed = new Sealed({ providers })
await Promise.all([watched.start(), sealed.start()])
const address = ({ adminPort }) => `127.0.0.1:${adminPort}`
const prometheus = await new Prometheus({ [INSTALLATIONS[0]]: [address(watched)], [INSTALLATIONS[1]]: [address(sealed)] }).start()

// What happened before the first scrape is no increase to Prometheus.
await until('both are scraped', async () => (await prometheus.query('pinfold_build_info')).length === 2)
const names = Array.from({ length: PINS }, (_, index) => `backup-${index}`)
const ids = await each(names, AT_ONCE, async (name) => (await watched.add({ cid: rawCid(name), name })).requestid)
await each(ids, AT_ONCE, (id) => watched.pinned(id))
await watched.remove(ids.pop())
await watched.request('GET', '/pins/nobody')
await run(BINARY, ['provider', 'audit', 'alpha', '--wait', '--config', watched.file])
await run(BINARY, ['provider', 'audit', 'beta', '--wait', '--config', watched.file])

/** Both gateways' series, as Prometheus sees them. */
async function scrape () {
  const pages = await Promise.all([watched, sealed].map(async ({ admin }) => (await fetch(`${admin}/metrics`)).text()))
  const [first, second] = pages.map(parseScrape)
  for (const [name, series] of second.series) first.series.set(name, [...(first.series.get(name) ?? []), ...series])
  return first
}
const { series, help } = await scrape()
const shared = new Set([...help].filter(([, words]) => words.includes('take max, not sum')).map(([name]) => name))
const all = await until('every rule was evaluated', async () => {
  const all = await prometheus.rules()
  return all.every(({ health }) => health !== 'unknown') && all
})
const recorded = new Map(all.filter(({ type }) => type === 'recording').map((rule) => [rule.name, rule]))
const alerts = all.filter(({ type }) => type === 'alerting')
const expressions = [...queries.map(({ where, filled }) => ({ where, expr: filled })), ...all.map(({ name, query }) => ({ where: name, expr: query }))]

/** The labels that a metric, or a recorded series, can have. */
function labelsOf (name) {
  if (name === 'ALERTS') return OF_ALERTS
  if (name === 'up') return TARGET
  if (recorded.has(name)) return [...name.split(':')[0].split('_'), ...TARGET]
  return [...new Set((series.get(name) ?? []).flatMap(Object.keys)), ...TARGET]
}

/** What is wrong with an expression's names: nothing, or a sentence each. */
function strangers ({ where, expr }) {
  const wrong = []
  const known = new Set()
  for (const { name, matchers } of selectors(expr)) {
    const labels = labelsOf(name)
    labels.forEach((label) => known.add(label))
    const there = ['ALERTS', 'up'].includes(name) || recorded.has(name) || series.has(name)
    if (!there) wrong.push(`${where}: there is no ${name}`)
    for (const { label } of matchers) if (!labels.includes(label)) wrong.push(`${where}: ${name} has no label ${label}`)
    const ours = matchers.filter(({ label }) => !TARGET.includes(label))
    if (series.has(name) && !series.get(name).some((labels) => fits(labels, ours))) wrong.push(`${where}: no series of ${name} fits ${JSON.stringify(ours)}`)
    for (const { label, op, value } of ours.filter(({ op }) => op === '=~')) {
      for (const part of value.split('|')) {
        if (series.has(name) && !series.get(name).some((labels) => fits(labels, [{ label, op, value: part }]))) wrong.push(`${where}: ${label} of ${name} is never ${part}`)
      }
    }
  }
  for (const label of groupings(expr)) if (!known.has(label)) wrong.push(`${where}: groups by ${label}, which nothing in it has`)
  return wrong
}

const clean = (wrong) => assert.deepEqual(wrong, [])

await check('the dashboards are as their source says', () => run('node', [join(DEPLOY, 'grafana', 'generate.mjs'), '--check']))

await check('each dashboard has a fixed uid, a datasource to choose, and nothing of one Grafana', () => {
  assert.deepEqual(dashboards.map(({ uid }) => uid).sort(), ['accounts', 'internals', 'overview', 'providers'].map((name) => `pinfold-${name}`))
  for (const dashboard of dashboards) {
    assert.equal(dashboard.file, `${dashboard.uid}.json`)
    for (const key of ['__inputs', '__requires', 'id']) assert.ok(!(key in dashboard), key)
    assert.equal(dashboard.templating.list[0].type, 'datasource')
    const ids = dashboard.panels.map(({ id }) => id)
    assert.equal(new Set(ids).size, ids.length)
    const widths = new Map()
    for (const { gridPos: { y, w } } of dashboard.panels) widths.set(y, (widths.get(y) ?? 0) + w)
    assert.ok([...widths.values()].every((width) => width === 24), `${dashboard.uid} has gaps`)
  }
  for (const panel of panels) {
    assert.equal(panel.datasource.uid, '${datasource}', panel.title)
    assert.ok(panel.title && panel.description, `${panel.uid} ${panel.title}`)
  }
})

await check(`every metric, label and value of ${expressions.length} queries and rules exists in a real scrape`, () => {
  assert.ok(expressions.every(({ expr }) => selectors(expr).length > 0))
  clean(expressions.flatMap(strangers))
})

await check('a query that misspells a metric, a label or a value would be found', () => {
  for (const expr of ['pinfold_pin', 'max(pinfold_pins{state="failed"})', 'max(pinfold_pins{status="gone"})', 'pinfold_pins{status=~"queued|gone"}', 'sum by (provider) (pinfold_pins)', 'job:pinfold_nothing:rate5m']) {
    assert.equal(strangers({ where: '', expr }).length > 0, true, expr)
  }
})

await check('every metric of ours has its place on a dashboard: deploy/grafana/source', () => {
  const shown = new Set(queries.flatMap(({ filled }) => selectors(filled).map(({ name }) => name)))
  const families = [...help.keys()].filter((name) => name.startsWith('pinfold_'))
  assert.ok(families.length > 40)
  clean(families.filter((name) => !['', '_bucket', '_count', '_sum'].some((part) => shown.has(name + part))))
})

await check('every label in a legend is one that its series have', () => {
  clean(queries.flatMap(({ where, legendFormat = '', filled }) => [...legendFormat.matchAll(/{{(\w+)}}/g)]
    .filter(([, label]) => !groupings(filled).includes(label) && !(TARGET.includes(label) && !/\bby\b/.test(filled)))
    .map(([, label]) => `${where}: ${label}`)))
})

await check(`what comes from the database (${shared.size} metrics) is never summed up over gateways`, () => {
  assert.ok(shared.size > 10)
  const summed = expressions.flatMap(({ where, expr }) => selectors(expr)
    .filter(({ name, before }) => shared.has(name) && !/\b(?:max|min)(?: by \([^)]*\))? \($|\b(?:max|min)\($/.test(before))
    .map(({ name }) => `${where}: ${name}`))
  clean(summed)
})

const ask = (expr, { instant }) => instant ? prometheus.query(expr) : prometheus.range(expr, 15)
// It has data only where an alert fires.
const [alarming, telling] = [true, false].map((alarms) => queries.filter(({ filled }) => selectors(filled).every(({ name }) => name === 'ALERTS') === alarms))

await check(`each of ${telling.length} queries of ${panels.length} panels is answered, with data`, async () => {
  await each(telling, AT_ONCE, (query) => until(`${query.where} has data: ${query.filled}`, async () => {
    for (const job of INSTALLATIONS) { // what only one with TLS has, that one tells
      if ((await ask(query.filled.replaceAll('job="pinfold"', `job="${job}"`), query)).length > 0) return true
    }
    return false
  }, { within: 45_000, every: 500 }))
})

await check('no panel shows NaN about a gateway that nobody asks anything', async () => {
  const odd = []
  await each(queries, AT_ONCE, async ({ where, filled, ...query }) => {
    const found = await ask(filled.replaceAll('job="pinfold"', 'job="pinfold-sealed"'), query)
    if (found.some(({ value, values = [value] }) => values.some(([, number]) => !Number.isFinite(Number(number))))) odd.push(where)
  })
  clean(odd)
})

await check('panels of what may well not be there say so: alerts, budgets, quotas, routes, times of what nobody asked', () => {
  const SELDOM = /^ALERTS\{|_budget_limit|_quota_limit|route_pins|histogram_quantile/
  const silent = panels.filter(({ targets, fieldConfig }) => targets.every(({ expr }) => SELDOM.test(expr)) && !fieldConfig.defaults.noValue)
  clean(silent.map(({ uid, title }) => `${uid}, ${title}`))
})

await check('the overview names alerts that fire, and each provider\'s state in words', async () => {
  const [{ fieldConfig: { overrides }, targets: [{ expr }] }] = panels.filter(({ uid, title }) => uid === 'pinfold-overview' && title === 'Providers')
  const [{ value: [{ options }] }] = overrides.find(({ matcher }) => matcher.options === 'state').properties.filter(({ id }) => id === 'mappings')
  const states = series.get('pinfold_provider_health').map(({ health }) => health)
  assert.deepEqual(Object.values(options).map(({ text }) => text).sort(), [...new Set(states)].sort())
  for (const { value: [, state] } of await prometheus.query(fill(expr))) assert.equal(options[state].text, 'healthy')
  assert.deepEqual(alarming.map(({ where }) => where), ['pinfold-overview, Alerts that fire, A'])
  assert.deepEqual(await prometheus.query(alarming[0].filled), [])
})

await check('every variable has values to choose', async () => {
  for (const { uid, templating } of dashboards) {
    for (const { name, definition } of templating.list.filter(({ type }) => type === 'query')) {
      const [, match, label] = fill(definition).match(/^label_values\((.*), (\w+)\)$/)
      assert.equal(label, name)
      assert.ok((await prometheus.ask(`label/${label}/values`, { 'match[]': match })).length > 0, `${uid}: ${name}`)
    }
  }
})

await check(`all ${all.length} rules are evaluated without error, and what is recorded has values`, async () => {
  clean(all.filter(({ health }) => health !== 'ok').map(({ name, lastError }) => `${name}: ${lastError}`))
  for (const name of recorded.keys()) await until(`${name} has values`, async () => (await prometheus.query(name)).length > 0)
})

await check('nothing is alarmed about a gateway that is well', async () => {
  await until('there is no alert', async () => { // before its first scrape Prometheus missed the gateways
    clean((await prometheus.ask('alerts')).alerts.map(({ labels }) => JSON.stringify(labels)))
    return true
  }, { within: 10_000, every: 500 })
})

await check('promtool finds nothing in the configuration, the rules and their tests', async () => {
  const { reason } = await promtool
  if (reason) throw reason
})

await check(`each of ${alerts.length} alerts has a test in which it fires, and one in which it does not`, () => {
  const text = readdirSync(tests).map((file) => readFileSync(join(tests, file), 'utf8')).join('\n')
  const cases = [...text.matchAll(/alertname="(\w+)", alertstate="firing".*\n\s*eval_time: \w+\n\s*exp_samples: (\[\])?/g)]
  for (const { name } of alerts) {
    const ofIt = cases.filter(([, alert]) => alert === name).map(([, , empty]) => empty !== undefined)
    assert.deepEqual([ofIt.includes(true), ofIt.includes(false)], [true, true], name)
  }
})

await check('each alert says how bad it is and what it is about, and leads to its own section of the runbooks', () => {
  const sections = [...runbooks.matchAll(/^## (Pinfold\w+)$/gm)].map(([, name]) => name)
  assert.deepEqual(sections.toSorted(), alerts.map(({ name }) => name).sort())
  for (const { name, labels, annotations } of alerts) {
    assert.ok(['critical', 'warning'].includes(labels.severity), name)
    assert.ok(annotations.summary && annotations.description, name)
    assert.equal(annotations.runbook_url, `https://github.com/pinfold/pinfold/blob/main/docs/runbooks.md#${name.toLowerCase()}`)
    const section = runbooks.split(`## ${name}\n`)[1].split(/^#/m)[0]
    for (const part of ['**Means.**', '**Check.**', '**Fix.**']) assert.ok(section.includes(part), `${name}: ${part}`)
  }
})

await check('every command of the runbooks is one that pinfold has', async () => {
  const commands = [...runbooks.matchAll(/`?pinfold ((?:provider|pin|job|event|token|log-level|reload|check-config|healthcheck|version)\b[^`#\n|]*)/g)].map(([, line]) => line.trim())
  assert.ok(commands.length > 20)
  await each([...new Set(commands)], AT_ONCE, async (line) => {
    const words = line.split(/\s+/)
    const verbs = words.slice(0, ['provider', 'pin', 'job', 'event', 'token'].includes(words[0]) ? 2 : 1)
    const { stdout } = await run(BINARY, [...verbs, '--help'])
    assert.ok(stdout.includes(`Usage: pinfold ${verbs.join(' ')}`), line)
    for (const flag of words.filter((word) => word.startsWith('-'))) assert.ok(stdout.includes(flag), `${line}: ${flag}`)
  })
})
process.exit()
