#!/usr/bin/env node
// Draws outage.svg: what a Prometheus saw of a gateway while one of its three providers was away for some minutes.
// `docs/images/outage.mjs DATA` draws what was measured before, if DATA is there; else it measures for a quarter of an hour
// (pinfold by OUTER_BIN or target/debug, and prometheus in the path), and keeps that in DATA.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { each, pause } from '../../tests/outer/lib/check.mjs'
import { rawCid } from '../../tests/outer/lib/cid.mjs'
import { Gateway } from '../../tests/outer/lib/gateway.mjs'
import { Prometheus } from '../../tests/outer/lib/prometheus.mjs'
import { Sim } from '../../tests/outer/lib/upstreams.mjs'

const PINS = 600
const MINUTE = 60_000
// Counted from the gateway's start. None is declared dead in the first ten minutes of a process.
const BEGIN = 7 * MINUTE
const AWAY = 9 * MINUTE
const BACK = 14 * MINUTE
const END = 16 * MINUTE
const STEP = 2 // seconds
const BY = ['alpha', 'beta', 'gamma']

const QUERIES = {
  pins: ['max(pinfold_pins{status="pinned"})', 'max(pinfold_pins_under_replicated)', 'max(pinfold_pins{status="failed"})'],
  copies: BY.map((name) => `max(pinfold_replicas{provider="${name}", state="pinned"})`),
  calls: BY.flatMap((name) => [
    `sum(rate(pinfold_provider_requests_total{provider="${name}", outcome="ok"}[15s]))`,
    `sum(rate(pinfold_provider_requests_total{provider="${name}", outcome!="ok"}[15s]))`
  ]),
  answers: ['sum(rate(pinfold_http_requests_total{code=~"2.."}[15s]))', 'sum(rate(pinfold_http_requests_total{code=~"5.."}[15s]))'],
  health: ['max(pinfold_provider_health{provider="alpha", health="down"})', 'max(pinfold_provider_health{provider="alpha", health="dead"})']
}

async function measure () {
  const sims = await Promise.all(BY.map((name) => new Sim(name).start()))
  const gateway = await new Gateway({
    providers: sims.map((sim) => sim.entry({ exclusive: true, budget: { write: '30/10s' } })),
    policy: { copies: 2, pinned_when: 1, choose: 'hash' },
    engine: { declare_dead_after: '1m' }
  }).start()
  const began = Date.now()
  const at = (time) => pause(Math.max(0, began + time - Date.now()))
  const prometheus = await new Prometheus({ pinfold: [`127.0.0.1:${gateway.adminPort}`] }).start()
  await each(Array.from({ length: PINS }, (_, index) => `picture ${index}`), 8, (name) => gateway.add({ cid: rawCid(name), name }))
  let over = false
  const client = (async () => { // a new pin every two seconds, and four questions a second, all the time
    for (let index = 0; !over; index++) {
      const { requestid } = await gateway.add({ cid: rawCid(`later ${index}`), name: 'later' })
      for (let asked = 0; asked < 8; asked++) {
        await pause(250)
        await gateway.request('GET', `/pins/${requestid}`)
      }
    }
  })()
  await at(AWAY)
  await sims[0].sicken('down')
  await at(BACK)
  await sims[0].heal()
  await at(END)
  over = true
  await client
  const data = {}
  for (const [name, queries] of Object.entries(QUERIES)) data[name] = await Promise.all(queries.map((query) => seen(prometheus, query)))
  await Promise.all([gateway.stop(), prometheus.stop(), ...sims.map((sim) => sim.stop())])
  return data
}

/** Seconds from the picture's begin, and values. */
async function seen (prometheus, query) {
  const seconds = (END - BEGIN) / 1000
  const from = Date.now() / 1000 - seconds
  const [{ values } = { values: [] }] = await prometheus.range(query, seconds, STEP)
  return values.map(([time, value]) => [time - from, Number(value)])
}

const COLOURS = { alpha: '#d9480f', beta: '#1971c2', gamma: '#2f9e44', short: '#e03131', pinned: '#343a40', bad: '#e03131', good: '#868e96' }
const WIDTH = 860
const LEFT = 48
const RIGHT = 130
const HEIGHT = 120
const GAP = 46
const seconds = (END - BEGIN) / 1000
const x = (time) => LEFT + (WIDTH - LEFT - RIGHT) * time / seconds
const round = (number) => Math.round(number * 10) / 10

/** A top that is a round number. */
function ceiling (value) {
  const unit = 10 ** Math.floor(Math.log10(value || 1))
  return [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10].map((step) => step * unit).find((top) => top >= value)
}

function graph (title, lines, top) {
  const highest = ceiling(Math.max(...lines.flatMap(({ points }) => points.map(([, value]) => value))))
  const y = (value) => top + HEIGHT - HEIGHT * value / highest
  const grid = [0, 0.5, 1].map((part) => {
    const at = round(y(part * highest))
    return `<path d="M${LEFT} ${at}H${WIDTH - RIGHT}" stroke="#dee2e6"/><text x="${LEFT - 6}" y="${at + 4}" text-anchor="end">${part * highest}</text>`
  })
  const drawn = lines.map(({ points, colour, dash }) => {
    // Only where it changes: equal values in a row are one line.
    const turns = points.filter(([, value], index) => index === 0 || index === points.length - 1 || value !== points[index - 1][1] || value !== points[index + 1][1])
    const path = turns.map(([time, value], index) => `${index ? 'L' : 'M'}${round(x(time))} ${round(y(value))}`).join('')
    return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.6"${dash ? ' stroke-dasharray="4 3"' : ''}/>`
  })
  const names = lines.map(({ name, colour }, index) => `<text x="${WIDTH - RIGHT + 8}" y="${top + 10 + 16 * index}" fill="${colour}">${name}</text>`)
  return [`<text x="${LEFT}" y="${top - 8}" font-weight="bold">${title}</text>`, ...grid, ...drawn, ...names].join('\n')
}

/** Where a gauge of 0 and 1 was 1, behind everything. */
function band (points, words, colour) {
  const inside = points.filter(([, value]) => value === 1).map(([time]) => time)
  if (inside.length === 0) return ''
  const [from, to] = [x(inside[0]), x(inside.at(-1) + STEP)]
  return `<rect x="${round(from)}" y="22" width="${round(to - from)}" height="${4 * (HEIGHT + GAP) - 14}" fill="${colour}"/>` +
    `<text x="${round(from) + 2}" y="16" fill="${COLOURS.alpha}">${words}</text>`
}

/** What was done to it, and when. */
function mark (time, words) {
  const at = round(x((time - BEGIN) / 1000))
  return `<path d="M${at} 22v${4 * (HEIGHT + GAP) - 14}" stroke="${COLOURS.alpha}" stroke-dasharray="2 3"/>` +
    `<text x="${at}" y="16" text-anchor="middle" fill="${COLOURS.alpha}">${words}</text>`
}

function draw ({ pins, copies, calls, answers, health }) {
  const graphs = [
    ['Pins', [
      { name: 'pinned, to clients', colour: COLOURS.pinned, points: pins[0] },
      { name: 'short of copies', colour: COLOURS.short, points: pins[1] },
      { name: 'failed', colour: COLOURS.good, dash: true, points: pins[2] }
    ]],
    ['Copies', BY.map((name, index) => ({ name: `at ${name}`, colour: COLOURS[name], points: copies[index] }))],
    ['Calls to providers, a second', BY.flatMap((name, index) => [
      { name, colour: COLOURS[name], points: calls[2 * index] },
      ...(name === 'alpha' ? [{ name: 'alpha, failing', colour: COLOURS.alpha, dash: true, points: calls[2 * index + 1] }] : [])
    ])],
    ['Answers to clients, a second', [
      { name: 'good (2xx)', colour: COLOURS.gamma, points: answers[0] },
      { name: 'server errors', colour: COLOURS.bad, points: answers[1] }
    ]]
  ]
  const bottom = 40 + graphs.length * (HEIGHT + GAP)
  const minutes = Array.from({ length: seconds / 60 + 1 }, (_, minute) => `<text x="${round(x(60 * minute))}" y="${bottom - GAP + 24}" text-anchor="middle">${minute} min</text>`)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom - 12}" font-family="sans-serif" font-size="12" fill="#343a40">`,
    '<title>A provider is away for five minutes: its copies are made elsewhere, and clients notice nothing</title>',
    '<rect width="100%" height="100%" fill="#fff"/>',
    band(health[0], 'is down', '#fff4e6'),
    band(health[1], 'is dead to Pinfold', '#ffe3e3'),
    mark(AWAY, 'alpha off'),
    mark(BACK, 'alpha on'),
    ...graphs.map(([title, lines], index) => graph(title, lines, 48 + index * (HEIGHT + GAP))),
    ...minutes,
    '</svg>', ''
  ].join('\n')
}

const [, , file] = process.argv
if (!file) throw new Error('say where the data is, or is to be: docs/images/outage.mjs DATA')
if (!existsSync(file)) writeFileSync(file, JSON.stringify(await measure()))
writeFileSync(new URL('outage.svg', import.meta.url), draw(JSON.parse(readFileSync(file, 'utf8'))))
process.exit()
