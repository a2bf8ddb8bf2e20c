// Requests that schemathesis makes up from the API's own document: none is answered by a 5xx, every answer is as the
// document says, every error a Failure.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { check, skip } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway, TOKEN } from '../lib/gateway.mjs'
import { Sim } from '../lib/upstreams.mjs'

const SEED = process.env.OUTER_SEED ?? '7'
const CASES = '60'
const CHECKS = 'not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,every_error_is_a_failure'
const here = new URL('..', import.meta.url).pathname

if (spawnSync('schemathesis', ['--version']).error) {
  skip('fuzzing from the OpenAPI document', 'schemathesis is not installed')
} else {
  const sim = await new Sim('alpha').start()
  const gateway = await new Gateway({ providers: [sim.entry()], policy: { copies: 1 }, api: { accept_wait: '0s' } }).start()
  const cids = Array.from({ length: 8 }, (_, n) => rawCid(`fuzz ${n}`))
  const ids = []
  for (const cid of cids) ids.push((await gateway.add({ cid, name: 'fuzz', meta: { app: 'fuzz' } })).requestid)

  await check('no request from the document is answered by a 5xx or by anything the document does not say', () => {
    const ran = spawnSync('schemathesis', [
      'run', `${here}spec/ipfs-pinning-service.yaml`, '--url', gateway.url, '-H', `Authorization: Bearer ${TOKEN}`,
      '--phases', 'examples,coverage,fuzzing', '--checks', CHECKS, '-n', CASES, '--seed', SEED, '--no-color', '--suppress-health-check', 'all'
    ], {
      cwd: gateway.folder,
      encoding: 'utf8',
      maxBuffer: 1 << 26,
      env: { ...process.env, SCHEMATHESIS_HOOKS: 'fuzz.hooks', PYTHONPATH: here, FUZZ_IDS: ids.join(), FUZZ_CIDS: cids.join() }
    })
    const summary = ran.stdout.match(/(\d+) generated, (\d+) passed/)
    assert.equal(ran.status, 0, ran.stdout.slice(-4000) + ran.stderr)
    assert.ok(Number(summary[1]) > 300, summary[0])
    console.log(`     ${summary[0]}, seed ${SEED}`)
  })

  await check('the gateway serves on as before', async () => {
    const { requestid } = await gateway.add({ cid: rawCid('after'), name: 'after' })
    await gateway.pinned(requestid)
  })
}
process.exit()
