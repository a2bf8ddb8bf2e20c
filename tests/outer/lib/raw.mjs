// HTTP as no library would send it: bytes over plain sockets, and HTTP/2 frames made by hand.
import { connect } from 'node:net'

/** A socket that remembers what came and whether it was closed. `paused`: it never reads. `from`: its own address. */
export function open (port, { paused = false, from } = {}) {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  socket.setNoDelay(true)
  socket.came = Buffer.alloc(0)
  socket.on('error', () => {}) // a reset is a close too
  socket.opened = new Promise((resolve, reject) => { socket.once('connect', resolve); socket.once('error', reject) })
  socket.opened.catch(() => {})
  socket.over = new Promise((resolve) => socket.once('close', () => { socket.isOver = true; resolve(true) }))
  if (paused) socket.pause()
  else {
    socket.on('data', (data) => {
      // A flood of answers is not kept.
      if (socket.came.length < 1 << 20) socket.came = Buffer.concat([socket.came, data])
    })
  }
  return socket
}

/** Whether the server closes it in time. */
export function closes (socket, within) {
  let timer
  const late = new Promise((resolve) => { timer = setTimeout(() => resolve(false), within) })
  return Promise.race([socket.over, late]).finally(() => clearTimeout(timer))
}

/** Sends these bytes on a connection of their own; returns all answers until the server closes it, or `within`. */
export async function exchange (port, bytes, { within = 5_000 } = {}) {
  const socket = open(port)
  await socket.opened
  socket.write(bytes)
  const closed = await closes(socket, within)
  socket.destroy()
  return { closed, answers: answers(socket.came.toString('latin1')), bytes: socket.came }
}

/** The HTTP/1 answers in a text: their statuses, heads and bodies. */
export function answers (text) {
  const found = []
  while (text.startsWith('HTTP/1.')) {
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) break
    const head = text.slice(0, end)
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
    found.push({ status: Number(head.slice(9, 12)), head, body: text.slice(end + 4, end + 4 + length) })
    text = text.slice(end + 4 + length)
  }
  return found
}

/** Whether a body is a Failure, as every error to a request of the API must be. */
export function isFailure (body) {
  try {
    const { error } = JSON.parse(body)
    return error.reason.length > 0 && error.details.length > 0
  } catch { return false }
}

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
export const DATA = 0
export const HEADERS = 1
export const RESET = 3
export const SETTINGS = 4
export const PING = 6
export const GO_AWAY = 7
export const CONTINUATION = 9
export const END_STREAM = 1
export const END_HEADERS = 4

export function frame (type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

export const reset = (stream) => frame(RESET, 0, stream, Buffer.from([0, 0, 0, 8]))

/** SETTINGS_INITIAL_WINDOW_SIZE of 0 means: send me nothing. */
export function settings (window) {
  if (window === undefined) return frame(SETTINGS, 0, 0)
  const payload = Buffer.alloc(6)
  payload.writeUInt16BE(4, 0)
  payload.writeUInt32BE(window, 2)
  return frame(SETTINGS, 0, 0, payload)
}

/** One header as HPACK writes it without tables or Huffman's code. */
export function header (name, value) {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)])
}

function text (string) {
  const bytes = Buffer.from(string)
  return Buffer.concat([integer(bytes.length), bytes])
}

function integer (number) {
  if (number < 127) return Buffer.from([number])
  const bytes = [127]
  for (number -= 127; number >= 128; number = Math.floor(number / 128)) bytes.push((number % 128) | 128)
  return Buffer.from([...bytes, number])
}

/** The header block of a GET. */
export function get (path, token) {
  const all = [[':method', 'GET'], [':scheme', 'http'], [':authority', 'x'], [':path', path]]
  if (token) all.push(['authorization', `Bearer ${token}`])
  return Buffer.concat(all.map(([name, value]) => header(name, value)))
}

/** The head of an add, whose stream stays open until its body comes. */
export function post (path, token) {
  const all = [[':method', 'POST'], [':scheme', 'http'], [':authority', 'x'], [':path', path], ['content-type', 'application/json'], ['authorization', `Bearer ${token}`]]
  return Buffer.concat(all.map(([name, value]) => header(name, value)))
}

/** The whole frames in what came. */
export function frames (bytes) {
  const found = []
  for (let at = 0; at + 9 <= bytes.length;) {
    const length = bytes.readUIntBE(at, 3)
    found.push({ type: bytes[at + 3], flags: bytes[at + 4], stream: bytes.readUInt32BE(at + 5) & 0x7fffffff, payload: bytes.subarray(at + 9, at + 9 + length) })
    at += 9 + length
  }
  return found
}
