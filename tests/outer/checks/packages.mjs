// What is given out: the tarball is made twice and unpacked, the .deb is installed, run as its user, upgraded over a store of
// an older version, removed and purged. Leaves the machine as it was; does nothing where a Pinfold is installed.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { check, each, skip } from '../lib/check.mjs'
import { rawCid } from '../lib/cid.mjs'
import { Gateway, TOKEN } from '../lib/gateway.mjs'
import { BINARY, freePort, scratch, start } from '../lib/process.mjs'
import { Sim } from '../lib/upstreams.mjs'

const ROOT = new URL('../../..', import.meta.url).pathname
const CONFIG = '/etc/pinfold/config.yaml'
const SECRETS = '/etc/pinfold/secrets'
const STATE = '/var/lib/pinfold'
const UNITS = '/usr/lib/systemd/system'
const OURS = [CONFIG, SECRETS, STATE, '/usr/bin/pinfold']
const MIGRATIONS = join(ROOT, 'src/store/sqlite/migrations')
const SYSTEMD = new URL('../lib/systemd.sh', import.meta.url).pathname
const OLDER = new URL('../lib/older.py', import.meta.url).pathname
/** Before jobs, adoptions, audits and proofs. */
const OLD_VERSION = 8
const PINS = 50
/** `systemd-analyze security`: from 0, nothing is exposed, to 10. */
const MOST_EXPOSED = 1.5

function run (program, args, { env = {}, input, anyway = false } = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', input, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', ...env } })
  assert.ok(status === 0 || anyway, `${program} ${args.join(' ')}: ${error?.message ?? `${stdout}${stderr}`}`)
  return stdout
}
const fails = (program, args) => spawnSync(program, args).status !== 0
/** `deploy/package` with the debug binary, into a folder of its own; returns that. */
function made (what, more = {}) {
  const out = scratch()
  run(join(ROOT, 'deploy/package'), [what], { env: { BINARY, OUT: out, QUICK: '1', SOURCE_DATE_EPOCH: '1700000000', ...more } })
  return out
}
/** The same package with a higher version. */
function newer (deb, from, to) {
  const tree = join(scratch(), 'tree')
  run('dpkg-deb', ['--raw-extract', deb, tree])
  run('sed', ['--in-place', `s/^Version: ${from}$/Version: ${to}/`, join(tree, 'DEBIAN/control')])
  const file = `${tree}.deb`
  run('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z1', '--build', tree, file])
  return file
}
const ending = (folder, end) => join(folder, readdirSync(folder).find((name) => name.endsWith(end)))

await check('the tarball is the same each time, its sum is right, and what is in it runs', async () => {
  const [one, two] = [made('tarball'), made('tarball')]
  assert.ok(readFileSync(ending(one, '.tar.gz')).equals(readFileSync(ending(two, '.tar.gz'))), 'two runs, two tarballs')
  run('sh', ['-c', 'cd "$1" && sha256sum --check --strict SHA256SUMS', 'sh', one])
  const owners = run('tar', ['--list', '--verbose', '--numeric-owner', '--file', ending(one, '.tar.gz')], { env: { TZ: 'UTC' } })
  assert.ok(owners.trim().split('\n').every((line) => / 0\/0 .* 2023-11-14 22:13 /.test(line)), owners)
  run('tar', ['--extract', '--directory', one, '--file', ending(one, '.tar.gz')])
  const tree = ending(one, '-gnu')
  assert.match(run(join(tree, 'pinfold'), ['version', '--verbose']), /^pinfold \d+\.\d+\.\d+\nrevision: /)
  run('bash', ['-n', join(tree, 'completions/pinfold.bash')])
  for (const page of ['pinfold.1', 'pinfold-pin-add.1', 'pinfold-config.5']) assert.ok(existsSync(join(tree, 'man', page)), page)
  for (const file of ['prometheus/rules/pinfold.alerts.yml', 'grafana/dashboards/pinfold-overview.json']) assert.ok(existsSync(join(tree, file)), file)
  for (const unit of ['pinfold.service', 'sysusers.conf', 'tmpfiles.conf']) assert.ok(existsSync(join(tree, 'systemd', unit)), unit)
})

const hindrance = process.getuid() !== 0
  ? 'only root installs packages'
  : OURS.find((path) => existsSync(path)) ?? (fails('getent', ['passwd', 'pinfold']) ? undefined : 'a user pinfold')
if (hindrance !== undefined) {
  skip('the .deb', `not on this machine: ${hindrance}`)
  process.exit()
}

/** The gateway as the package has it, with the secrets where systemd would put them. */
class Installed extends Gateway {
  get file () { return CONFIG }
  write (text = JSON.stringify(this.config(), null, 2)) { writeFileSync(CONFIG, text) }

  config () {
    const config = super.config()
    config.accounts[0].tokens = [{ name: 'laptop', secret_file: 'secrets/laptop' }]
    return config
  }

  /** The words that run a program as the package's user, who has no rights of root's left. */
  get as () {
    const { uid, gid } = user()
    return ['--reuid', `${uid}`, '--regid', `${gid}`, '--clear-groups', '--no-new-privs', '--bounding-set', '-all', '--pdeathsig', 'KILL', '/usr/bin/pinfold', 'serve', '--config', CONFIG]
  }

  get env () { return { CREDENTIALS_DIRECTORY: join(this.folder, 'credentials') } }

  spawn () {
    this.write()
    const credentials = join(this.folder, 'credentials')
    mkdirSync(credentials, { recursive: true })
    chmodSync(this.folder, 0o711)
    writeFileSync(join(credentials, 'secrets_laptop'), TOKEN)
    chmodSync(join(credentials, 'secrets_laptop'), 0o440)
    chownSync(join(credentials, 'secrets_laptop'), 0, user().gid)
    this.child = start('setpriv', this.as, { cwd: '/', log: this.log, env: this.env })
  }
}
function user () {
  const [, , uid, gid] = run('getent', ['passwd', 'pinfold']).split(':').map(Number)
  return { uid, gid }
}
function restore () {
  spawnSync('dpkg', ['--force-unsafe-io', '--purge', 'pinfold'])
  for (const path of ['/etc/pinfold', STATE]) rmSync(path, { recursive: true, force: true })
  spawnSync('userdel', ['--force', 'pinfold'])
}
process.on('exit', restore) // after its processes have been ended
const about = (path) => { const { mode, uid, gid } = statSync(path); return { mode: (mode & 0o777).toString(8), uid, gid } }
const version = () => run('dpkg-query', ['--show', '--showformat', '${db:Status-Abbrev}${Version}', 'pinfold'])

const first = ending(made('deb', { VERSION: '0.0.1' }), '.deb')
const second = newer(first, '0.0.1-1', '0.0.2-1')
const sim = await new Sim('alpha').start()
const gateway = new Installed({ providers: [sim.entry()], policy: { copies: 1 }, store: join(STATE, 'pinfold.db') })
const pins = new Map()

await check('the .deb refuses a systemd older than its unit needs, has apt remove none, and asks for none where none is', () => {
  for (const field of ['Breaks', 'Conflicts']) assert.equal(run('dpkg-deb', ['--field', first, field]).trim(), '', field)
  assert.match(run('dpkg-deb', ['--field', first, 'Depends']), /systemd \| systemd-standalone-sysusers/)
  const folder = scratch()
  run('dpkg-deb', ['--control', first, folder])
  /** What `preinst` says, and how it ends, with a `dpkg-query` that answers this. */
  const beside = (answer) => {
    writeFileSync(join(folder, 'dpkg-query'), `#!/bin/sh\n${answer}\n`, { mode: 0o755 })
    const { status, stderr } = spawnSync(join(folder, 'preinst'), ['install'], { encoding: 'utf8', env: { PATH: `${folder}:${process.env.PATH}` } })
    return `${status} ${stderr}`
  }
  assert.match(beside("printf 'installed 249.11-0ubuntu3.17'"), /^1 pinfold needs systemd 251 or newer, and 249\.11-0ubuntu3\.17 is installed: .*\n$/)
  assert.match(beside("printf 'unpacked 249.11-0ubuntu3.17'"), /^1 /)
  for (const answer of ["printf 'installed 252.38-1~deb12u1'", "printf 'config-files 249.11-0ubuntu3'", 'exit 1']) assert.equal(beside(answer), '0 ', answer)
})

/** Typed under a systemd of its own. */
const UNDER_SYSTEMD = `
state () { systemctl show pinfold --value -p "$1"; }
until_is () { for _ in {1..300}; do [ "$(state "$1")" = "$2" ] && return; sleep 0.1; done; echo "$1 is $(state "$1"), not $2"; return 1; }
systemctl start pinfold
echo "started: $(state ActiveState) as $(state User): $(state StatusText)"
echo "beside it: $(systemctl list-units --plain --no-legend --state=active,activating,failed --type=service,timer,path,automount | grep --invert-match --extended-regexp '^(pinfold|script)[.]service ' || echo nothing)"
pinfold pin add --config /etc/pinfold/config.yaml --name kept CID > /dev/null
systemctl reload pinfold && echo reloaded
cp /etc/pinfold/config.yaml /tmp/good
echo 'store: [' >> /etc/pinfold/config.yaml
systemctl reload pinfold 2>/dev/null || echo "bad reload refused: $(state ActiveState)"
cp /tmp/good /etc/pinfold/config.yaml
first=$(state MainPID)
dpkg --force-unsafe-io --install /said/second.deb > /dev/null 2>&1
until_is ActiveState active
[ "$(state MainPID)" != "$first" ] && echo "upgraded: $(state ActiveState)"
pinfold pin ls --config /etc/pinfold/config.yaml --status queued,pinning,pinned | grep -c kept
systemctl kill --signal=KILL pinfold
until_is NRestarts 1
until_is ActiveState active && echo "killed: it is back"
systemctl stop pinfold
echo "stopped: $(state Result)"
echo 'store: [' >> /etc/pinfold/config.yaml
systemctl start pinfold 2>/dev/null || echo "bad start: $(state ExecMainStatus)"
cp /tmp/good /etc/pinfold/config.yaml
systemctl start pinfold
dpkg --remove pinfold > /dev/null 2>&1
echo "removed: $(state ActiveState)"
`
const SAID = `started: active as pinfold: serving
beside it: nothing
reloaded
bad reload refused: active
upgraded: active
1
killed: it is back
stopped: success
bad start: 78
removed: inactive
`

await check('systemd runs its unit: start, reloads, an upgrade, a kill, a stop', async () => {
  const folder = scratch()
  const [port, adminPort] = [await freePort(), await freePort()]
  const config = {
    server: { listen: `127.0.0.1:${port}` },
    admin: { listen: `127.0.0.1:${adminPort}` },
    store: { url: `sqlite:${join(STATE, 'pinfold.db')}` },
    accounts: [{ name: 'default', tokens: [{ name: 'laptop', secret_file: 'secrets/laptop' }] }],
    providers: [sim.entry()],
    policies: [{ name: 'default', copies: 1 }]
  }
  const [file, secret] = ['config.yaml', 'secret'].map((name) => join(folder, name))
  // A key a line, so that a further one can break it.
  writeFileSync(file, Object.entries(config).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join(''))
  writeFileSync(secret, TOKEN)
  writeFileSync(join(folder, 'second.deb'), readFileSync(second))
  const args = ['--mount', '--cgroup', SYSTEMD, first, file, secret, folder]
  const input = UNDER_SYSTEMD.replace('CID', rawCid('under systemd'))
  const { status, stderr, error } = spawnSync('unshare', args, { encoding: 'utf8', input })
  const [said, log] = ['script', 'pinfold'].map((name) => existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8') : '')
  const lets = error?.code !== 'ENOENT' && status !== 77 && !(status === 1 && stderr.startsWith('unshare: '))
  if (!lets) return skip('systemd', `this machine does not let it: ${error?.code ?? status} ${stderr?.trim().split('\n').at(-1)}`)
  assert.equal(said, SAID, `ended with ${error?.code ?? status}, said:\n${said}${stderr}${log.split('\n').slice(-10).join('\n')}`)
})

await check('the .deb installs where no systemd runs: user, folders, rights, manual, completions', async () => {
  run('dpkg', ['--force-unsafe-io', '--install', first])
  assert.equal(version(), 'ii 0.0.1-1')
  const { uid, gid } = user()
  assert.deepEqual(about(CONFIG), { mode: '640', uid: 0, gid })
  assert.deepEqual(about(STATE), { mode: '700', uid, gid })
  assert.deepEqual(about(SECRETS), { mode: '700', uid: 0, gid: 0 })
  const files = run('dpkg', ['--listfiles', 'pinfold'])
  for (const file of ['/usr/share/man/man1/pinfold-serve.1.gz', '/usr/share/man/man5/pinfold-config.5.gz', '/usr/share/bash-completion/completions/pinfold', '/usr/share/doc/pinfold/examples/prometheus/rules/pinfold.alerts.yml', '/usr/share/doc/pinfold/copyright']) {
    assert.ok(files.includes(`${file}\n`), `${file} is not in the package`)
  }
  // As it comes it only lacks the secrets, and says so.
  const told = spawnSync('/usr/bin/pinfold', ['check-config', '--config', CONFIG], { encoding: 'utf8' })
  assert.equal(told.status, 78)
  assert.ok(told.stderr.trim().split('\n').every((line) => /secret_file|token_file/.test(line)), told.stderr)
  for (const name of ['laptop', 'alpha']) writeFileSync(join(SECRETS, name), `secret-of-${name}\n`, { mode: 0o600 })
  run('/usr/bin/pinfold', ['check-config', '--strict', '--config', CONFIG])
})

await check('its units are what systemd understands, and expose little', async () => {
  const units = ['pinfold.service', 'pinfold.socket', 'pinfold-admin.socket'].map((unit) => join(UNITS, unit))
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], { encoding: 'utf8' })
  assert.equal(`${status} ${stderr}`, '0 ')
  const table = run('systemd-analyze', ['security', '--offline=true', '--no-pager', `--threshold=${MOST_EXPOSED * 10}`, units[0]])
  console.log(`     ${table.trimEnd().split('\n').at(-1).replace('→ ', '')}, at most ${MOST_EXPOSED}`)
})

await check('it runs as its user, who cannot read the secrets of root', async () => {
  await gateway.start()
  await each(Array.from({ length: PINS }), 8, async (_, n) => {
    const pin = { cid: rawCid(`packaged ${n}`), name: `pin ${n}`, meta: { n: `${n}` } }
    const { requestid } = await gateway.add(pin)
    await gateway.pinned(requestid)
    pins.set(requestid, pin)
  })
  assert.equal(about(join(STATE, 'pinfold.db')).uid, user().uid)
  assert.ok(fails('setpriv', ['--reuid', 'pinfold', '--regid', 'pinfold', '--clear-groups', 'cat', join(SECRETS, 'laptop')]))
})

await check('where the database may not be written it says what to type', async () => {
  const folder = scratch()
  chmodSync(folder, 0o755)
  const env = { PATH: process.env.PATH, ...gateway.env, PINFOLD_STORE_URL: `sqlite:${folder}/pinfold.db`, PINFOLD_SERVER_LISTEN: '127.0.0.1:0', PINFOLD_ADMIN_LISTEN: '127.0.0.1:0' }
  const { status, stderr } = spawnSync('setpriv', gateway.as, { encoding: 'utf8', cwd: '/', env })
  assert.equal(status, 1, stderr)
  assert.ok(stderr.includes(`run: chown ${user().uid} ${folder}`), stderr)
})

/** All pins as they were, each with its copy. */
async function allAreThere () {
  const there = await gateway.listAll()
  assert.deepEqual(there.map(({ requestid }) => requestid).sort(), [...pins.keys()].sort())
  for (const { requestid, status, pin: { cid, name, meta } } of there) {
    assert.deepEqual({ status, cid, name, meta }, { status: 'pinned', ...pins.get(requestid) })
  }
}
const schema = () => Number(run('/usr/bin/pinfold', ['doctor', '--config', CONFIG, '--json'], { anyway: true })
  .split('\n').filter(Boolean).map((line) => JSON.parse(line)).find(({ what }) => what === 'store: schema').seen.match(/version (\d+)/)[1])

await check('an upgrade under the running gateway keeps its config, and what is pinned', async () => {
  run('dpkg', ['--force-unsafe-io', '--install', second])
  assert.equal(version(), 'ii 0.0.2-1')
  await allAreThere()
  assert.equal(await gateway.stop(), 0)
  assert.deepEqual(about(CONFIG), { mode: '640', uid: 0, gid: user().gid })
})

await check(`a store of schema version ${OLD_VERSION} is brought up to date by the first start, with all ${PINS} pins and their copies`, async () => {
  const newest = schema()
  const store = join(STATE, 'pinfold.db')
  const told = run('python3', [OLDER, store, `${store}.old`, `${OLD_VERSION}`, MIGRATIONS])
  assert.equal(told.trim(), `${OLD_VERSION} ${PINS}`)
  for (const ending of ['-wal', '-shm']) rmSync(`${store}${ending}`, { force: true })
  renameSync(`${store}.old`, store)
  chmodSync(store, 0o600)
  chownSync(store, user().uid, user().gid)
  assert.ok(newest > OLD_VERSION && schema() === OLD_VERSION)
  const held = await sim.pins()
  await gateway.start()
  assert.equal(schema(), newest)
  await allAreThere()
  assert.deepEqual(await sim.pins(), held)
  const added = await gateway.add({ cid: rawCid('after the upgrade') })
  await gateway.pinned(added.requestid)
  await gateway.remove(added.requestid)
  assert.equal(await gateway.stop(), 0)
})

await check('a backup that root or its user puts back is its user\'s, who reads no secret for it', async () => {
  const file = join(scratch(), 'pins.backup')
  run('/usr/bin/pinfold', ['backup', file, '--config', CONFIG])
  const { uid, gid } = user()
  const restore = ['/usr/bin/pinfold', 'restore', file, '--replace', '--config', CONFIG]
  rmSync(join(STATE, 'pinfold.db.lock'))
  run(restore[0], restore.slice(1))
  for (const name of readdirSync(STATE)) assert.equal(about(join(STATE, name)).uid, uid, name)
  assert.deepEqual(about(join(STATE, 'pinfold.db')), { mode: '600', uid, gid })
  rmSync(join(STATE, 'pinfold.db'))
  chmodSync(join(file, '..'), 0o711)
  chownSync(file, uid, gid)
  run('setpriv', ['--reuid', `${uid}`, '--regid', `${gid}`, '--clear-groups', ...restore])
  await gateway.start()
  await allAreThere()
  assert.equal(await gateway.stop(), 0)
})

await check('removed it leaves the config, purged it leaves the pins and nothing else', async () => {
  run('dpkg', ['--force-unsafe-io', '--remove', 'pinfold'])
  assert.ok(!existsSync('/usr/bin/pinfold') && existsSync(CONFIG))
  assert.match(run('dpkg', ['--force-unsafe-io', '--purge', 'pinfold']), /The pins stay in \/var\/lib\/pinfold/)
  assert.ok(!existsSync('/etc/pinfold') && existsSync(join(STATE, 'pinfold.db')))
  restore()
  for (const path of OURS) assert.ok(!existsSync(path), path)
})

process.exit()
