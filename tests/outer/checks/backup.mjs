// A backup while writers write, put back and served; pins exported and imported; a backup's disk that is full: by the
// real binary.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { check, each, skip } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { ALL_STATUSES, Gateway, OTHER_TOKEN } from '../lib/gateway.mjs'
import { BINARY, scratch } from '../lib/process.mjs'
import { Sim } from '../lib/upstreams.mjs'

const BEFORE = 200
const WRITERS = 8

const sims = await Promise.all([new Sim('alpha').start(), new Sim('beta').start()])
const gateway = await new Gateway({ providers: sims.map((sim) => sim.entry()), api: { accept_wait: '0s' } }).start()
const file = join(scratch(), 'pins.backup')
const add = async (n) => (await gateway.add({ cid: rawCid(`pin ${n}`), name: `pin ${n}`, meta: { n: `${n}` } })).requestid

/** A command of ours, beside us: the gateway is written to meanwhile. */
async function pinfold (words, { input = '', binary = [BINARY] } = {}) {
  const [program, ...first] = binary
  const child = spawn(program, [...first, ...words, '--config', gateway.file], { cwd: gateway.folder })
  const out = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => { out[name] += text })
  child.stdin.end(input)
  const status = await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject))
  return { status, ...out }
}
async function good (words, more) {
  const { status, stdout, stderr } = await pinfold(words, more)
  assert.equal(status, 0, `pinfold ${words.join(' ')}: ${stdout}${stderr}`)
  return stdout
}

let promised
await check('a backup under writes holds every pin that was acknowledged before it', async () => {
  promised = await each(Array.from({ length: BEFORE }), 8, (_, n) => add(n))
  let [done, n] = [false, BEFORE]
  const writers = Promise.all(Array.from({ length: WRITERS }, async () => { while (!done) await add(n++) }))
  try { assert.match(await good(['backup', file]), /: \d+ pins, \d+ copies, \d+ bytes, schema version \d+/) } finally { done = true }
  await writers
  assert.ok(n > BEFORE + WRITERS, 'nobody wrote meanwhile')
})

await check('it is not written over the store, whatever is said', async () => {
  for (const own of ['pinfold.db', 'pinfold.db-wal']) {
    const { status, stderr } = await pinfold(['backup', own, '--force'])
    assert.ok(status === 1 && stderr.includes('is the store itself, or a file that belongs to it'), stderr)
  }
})

await check('a disk that is full is told of by the name of its folder, and nothing is left there', async () => {
  const disk = join(scratch(), 'disk')
  mkdirSync(disk)
  const inside = 'mount -t tmpfs -o size=64k tmpfs "$0" && "$@"; code=$?; ls -A "$0"; exit $code'
  const unshare = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', inside, disk]
  if (spawnSync(unshare[0], [...unshare.slice(1), 'true']).status !== 0) {
    return skip('a full disk', 'this machine does not let us mount a tmpfs')
  }
  const { status, stdout, stderr } = await pinfold(['backup', join(disk, 'pins.backup')], { binary: [...unshare, BINARY] })
  assert.deepEqual([status, stdout], [1, ''], stderr)
  assert.ok(stderr.includes(`the disk that holds ${disk} is full`), stderr)
})

await check('put back it is served again, with all of them', async () => {
  const refused = await pinfold(['restore', file, '--replace'])
  assert.ok(refused.status === 1 && refused.stderr.includes('in use by another pinfold process'), refused.stderr)
  assert.equal(await gateway.stop(), 0)
  await good(['restore', file, '--replace', '--nothing-was-sent'])
  assert.ok(readdirSync(gateway.folder).some((name) => name.startsWith('pinfold.db.before-')))
  await gateway.start()
  const there = new Set((await gateway.listAll()).map((entry) => entry.requestid))
  assert.deepEqual(promised.filter((id) => !there.has(id)), [])
  assert.ok(existsSync(file))
})

await check('pins that one account exports another one imports, once', async () => {
  const lines = await good(['export', '--account', 'first'])
  const pins = lines.trimEnd().split('\n').length
  const words = ['import', '-', '--account', 'second', '--at-once', '16']
  assert.equal(await good(words, { input: lines }), `${pins} imported, 0 skipped, 0 refused\n`)
  assert.equal(await good(words, { input: lines }), `0 imported, ${pins} skipped, 0 refused\n`)
  const { body } = await gateway.request('GET', `/pins?status=${ALL_STATUSES}&limit=1`, { token: OTHER_TOKEN })
  assert.equal(body.count, pins)
})
process.exit()
