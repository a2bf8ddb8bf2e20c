// The compliance suite of the spec's authors, through Pinfold, over two mocks of theirs.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { check } from '../lib/check.mjs'
import { Gateway, TOKEN } from '../lib/gateway.mjs'
import { scratch, start, tail } from '../lib/process.mjs'
import { Mock } from '../lib/upstreams.mjs'

const here = (path) => new URL(`../${path}`, import.meta.url).pathname
const RESULTS = here('node_modules/@ipfs-shipyard/pinning-service-compliance/dist/docs')
const CHECKS = 9

/** Runs the suite against one endpoint. Its exit code is always 0, so its report is what counts. */
async function suite (url, token) {
  const report = join(RESULTS, `${new URL(url).hostname}.json`)
  rmSync(RESULTS, { recursive: true, force: true }) // a stale report would pass for this run's
  const log = join(scratch(), 'compliance.log')
  const program = here('node_modules/.bin/pinning-service-compliance')
  const env = { NODE_OPTIONS: `--require ${here('lib/offline.cjs')}`, PSA_SPEC: here('spec/ipfs-pinning-service.yaml') }
  const child = start(program, ['-s', url, token], { cwd: here('.'), log, env })
  const limit = setTimeout(() => child.kill('SIGKILL'), 240_000)
  await child.gone
  clearTimeout(limit)
  assert.ok(existsSync(report), `the suite left no report:\n${tail(log)}`)
  const { total, passed } = JSON.parse(readFileSync(report, 'utf8'))
  return { total, passed, log }
}

await check(`compliance suite ${CHECKS}/${CHECKS} over two third-party mocks, copies: 2`, async () => {
  const direct = process.env.COMPLIANCE_URL // to see how another server fares
  let url = direct
  let token = process.env.COMPLIANCE_TOKEN
  if (!direct) {
    const [alpha, beta] = await Promise.all([new Mock('alpha').start(), new Mock('beta').start()])
    // The suite looks for what it has just added without a `status`, and its timers decide whether that is a second
    // later or a few milliseconds, when no service can have pinned it yet. What a list shows by default is tested in tests/it/api.rs.
    const api = { default_status: 'all' }
    // With the limits that everybody has.
    url = (await new Gateway({ providers: [alpha.entry(), beta.entry()], api, limits: {} }).start()).url
    token = TOKEN
  }
  const { total, passed, log } = await suite(url, token)
  assert.deepEqual({ total, passed }, { total: CHECKS, passed: CHECKS }, tail(log, 25))
})
process.exit()
