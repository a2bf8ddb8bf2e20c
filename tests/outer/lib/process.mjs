// Child processes that cannot outlive the check that started them, scratch folders, and free loopback ports.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// Without PINFOLD_* variables, which the program would take as settings.
const OURS = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PINFOLD_')))

const running = new Set()
const folders = new Set()

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
  // The logs of a failed run are what one wants to read next.
  if (process.exitCode) for (const folder of folders) console.error(`kept for you: ${folder}`)
  else for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130))

export const BINARY = process.env.OUTER_BIN ?? new URL('../../../target/debug/pinfold', import.meta.url).pathname

/** A folder that is removed at the end, unless a check failed. */
export function scratch () {
  const folder = mkdtempSync(join(tmpdir(), 'pinfold-outer-'))
  folders.add(folder)
  return folder
}

/** Starts a program whose output goes to `log`, else to ours. setpriv replaces itself by it, and ends it should we be killed. */
export function start (program, args, { cwd, log, env = {} } = {}) {
  const out = log === undefined ? 'inherit' : openSync(log, 'a')
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
    cwd, env: { ...OURS, ...env }, stdio: ['ignore', out, out]
  })
  running.add(child)
  child.gone = once(child, 'exit').then(([code, signal]) => {
    running.delete(child)
    child.ended = signal ?? code
    return child.ended
  })
  return child
}

export async function end (child, signal = 'SIGTERM') {
  if (child.ended === undefined) child.kill(signal)
  return child.gone
}

export function tail (log, lines = 15) {
  return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
}

// Below the range that the kernel gives to outgoing connections, so that a restarted gateway finds its port free.
const FIRST_PORT = 15_000
const PORTS = 15_000

export async function freePort () {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS)
    if (await canListen(port)) return port
  }
}

function canListen (port) {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
