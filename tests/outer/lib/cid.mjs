// Real CIDs of made-up content, in the three forms that the checks need.
import { createHash } from 'node:crypto'

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'
const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const RAW = 0x55
const DAG_PB = 0x70

export const rawCid = (text) => v1(RAW, text)
export const dagPbCid = (text) => v1(DAG_PB, text)
export const v0Cid = (text) => base58(multihash(text))

function multihash (text) {
  return Buffer.concat([Buffer.from([0x12, 0x20]), createHash('sha256').update(text).digest()])
}

function v1 (codec, text) {
  return 'b' + base32(Buffer.concat([Buffer.from([1, codec]), multihash(text)]))
}

function base32 (bytes) {
  let bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  bits = bits.padEnd(Math.ceil(bits.length / 5) * 5, '0')
  return bits.match(/.{5}/g).map((five) => BASE32[parseInt(five, 2)]).join('')
}

function base58 (bytes) {
  let number = BigInt('0x' + bytes.toString('hex'))
  let text = ''
  for (; number > 0n; number /= 58n) text = BASE58[Number(number % 58n)] + text
  return text
}
