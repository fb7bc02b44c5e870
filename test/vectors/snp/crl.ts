/** Vectors of revocation lists: their form, the authorities they revoke, and their times. */

import type { KeyObject } from 'node:crypto'
import { createPublicKey } from 'node:crypto'
import { authorityKeyIdentifier, extension, nameOf } from '#lab/amd/certificate.ts'
import { bits, boolean, explicit, integer, nothing, octets, oid, sequence, time } from '#lab/amd/der.ts'
import { accepted, authentic, type Choice, refused, usualLeaf, usualRoot } from './cases.ts'
import { pkcs1, pss } from './keys.ts'
import { referenceOf } from './policyReference.ts'
import type { Case } from './vector.ts'
import { askOf, KEYS, NOW, SERIALS } from './world.ts'

const NUMBER = extension('2.5.29.20', integer(10))
const DAY = 86_400

export type CrlParts = {
  readonly version?: readonly Buffer[]
  readonly issuer?: string | Buffer
  readonly times?: readonly Buffer[]
  /** Absent: the list has no entries. */
  readonly entries?: readonly Buffer[] | Buffer
  readonly extensions?: readonly Buffer[]
  readonly after?: readonly Buffer[]
  readonly key?: KeyObject
  readonly scheme?: ReturnType<typeof pss>
  readonly ending?: (signature: Buffer) => readonly Buffer[]
}

/** A list of the ARK of Genoa, valid for 45 days since yesterday. */
export function crlOf(parts: CrlParts = {}): Buffer {
  const { version = [integer(1)], issuer = 'ARK-Genoa', entries, after = [] } = parts
  const { times = [time(NOW - DAY), time(NOW + 44 * DAY)], ending = (signature) => [bits(signature)] } = parts
  const { extensions = [authorityKeyIdentifier(createPublicKey(KEYS.ark)), NUMBER] } = parts
  const { algorithm, sign } = parts.scheme ?? pss(parts.key ?? KEYS.ark)
  const list = entries === undefined ? [] : [Buffer.isBuffer(entries) ? entries : sequence(...entries)]
  const tbs = sequence(
    ...version,
    algorithm,
    Buffer.isBuffer(issuer) ? issuer : nameOf(issuer),
    ...times,
    ...list,
    ...(extensions.length === 0 ? [] : [explicit(0, sequence(...extensions))]),
    ...after,
  )
  return sequence(tbs, algorithm, ...ending(sign(tbs)))
}

const entry = (serial: number, ...more: readonly Buffer[]) =>
  sequence(integer(serial), time(NOW - DAY), ...more)
const REASON = sequence(extension('2.5.29.21', Buffer.from('0a0101', 'hex')))
const malformed = (name: string, parts: CrlParts) => refused(name, 'crl.malformed', { crls: [crlOf(parts)] })

export function crlVectors(): readonly Case[] {
  return [
    authentic('no list'),
    authentic('a list of nobody', { crls: [crlOf()] }),
    ...revocationVectors(),
    ...trustVectors(),
    ...formVectors(),
    ...ageVectors(),
  ]
}

function revocationVectors(): readonly Case[] {
  const asks = [entry(SERIALS.ask)]
  const old = [time(NOW - 100 * DAY), time(NOW - 50 * DAY)]
  const next = [time(NOW + DAY), time(NOW + 2 * DAY)]
  const milan = { roots: [usualRoot('Genoa', 'vcek', 'vlek'), usualRoot('Milan')] }
  return [
    refused('the ASK is listed', 'chain.revoked', { crls: [crlOf({ entries: asks })] }),
    refused('the ASK, which comes with the evidence, is listed', 'chain.revoked', {
      crls: [crlOf({ entries: asks })],
      roots: [usualRoot('Genoa')],
      certs: [usualLeaf('Genoa', 'vcek'), askOf('Genoa')],
    }),
    refused('the ASK is listed after others, with a reason', 'chain.revoked', {
      crls: [crlOf({ entries: [entry(1), entry(2, REASON), entry(SERIALS.ask, REASON)] })],
    }),
    refused('the ASVK of a VLEK is listed', 'chain.revoked', {
      kind: 'vlek',
      crls: [crlOf({ entries: [entry(SERIALS.asvk)] })],
    }),
    authentic('the ASVK is listed, the report is by a VCEK', {
      crls: [crlOf({ entries: [entry(SERIALS.asvk)] })],
    }),
    authentic('the ASK is listed, the report is by a VLEK', {
      kind: 'vlek',
      crls: [crlOf({ entries: asks })],
    }),
    authentic('another ASK is listed', {
      crls: [crlOf({ entries: [entry(SERIALS.ask + 1), entry(0x0102_0001)] })],
    }),
    refused('the ASK is on a list that ended long ago', 'chain.revoked', {
      crls: [crlOf({ entries: asks, times: old })],
    }),
    refused('the ASK is on a list of tomorrow', 'chain.revoked', {
      crls: [crlOf({ entries: asks, times: next })],
    }),
    refused('the ASK is on an older list and not on the latest', 'chain.revoked', {
      crls: [crlOf(), crlOf({ entries: asks, times: old })],
    }),
    refused('the ASK is on the latest list and not on an older one', 'chain.revoked', {
      crls: [crlOf({ times: old }), crlOf({ entries: asks })],
    }),
    authentic('the serial number is on the list of Milan', {
      ...milan,
      crls: [crlOf({ issuer: 'ARK-Milan', entries: asks })],
    }),
  ]
}

function trustVectors(): readonly Case[] {
  const vlek = usualRoot('Genoa', 'vcek', 'vlek')
  return [
    refused('a list by a stranger with the name of the ARK', 'crl.untrusted', {
      crls: [crlOf({ key: KEYS.stranger })],
    }),
    refused('a list by the ASK', 'crl.untrusted', { crls: [crlOf({ issuer: 'SEV-Genoa', key: KEYS.ask })] }),
    refused('a list by the ASK with the name of the ARK', 'crl.untrusted', {
      crls: [crlOf({ key: KEYS.ask })],
      roots: [vlek],
    }),
    refused('a list of a product that has no root here', 'crl.untrusted', {
      crls: [crlOf({ issuer: 'ARK-Milan' })],
    }),
    refused('a good list and one by a stranger', 'crl.untrusted', {
      crls: [crlOf(), crlOf({ key: KEYS.stranger })],
    }),
    refused('a list whose signature has one byte more', 'crl.untrusted', {
      crls: [crlOf({ ending: (signature) => [bits(Buffer.from([...signature, 0]))] })],
    }),
    refused('a list signed with a salt of 32 bytes, and said to be 48', 'crl.untrusted', {
      crls: [crlOf({ scheme: { ...pss(KEYS.ark, { salt: 32 }), algorithm: pss(KEYS.ark).algorithm } })],
    }),
    refused('a list signed with PKCS #1 v1.5', 'crl.malformed', {
      crls: [crlOf({ scheme: pkcs1(KEYS.ark) })],
    }),
  ]
}

function formVectors(): readonly Case[] {
  const good = crlOf()
  const bytes = (hex: string) => Buffer.from(hex, 'hex')
  return [
    refused('an empty list', 'crl.malformed', { crls: [Buffer.alloc(0)] }),
    refused('a byte after the list', 'crl.malformed', { crls: [Buffer.concat([good, Buffer.alloc(1)])] }),
    refused('a certificate for a list', 'crl.malformed', { crls: [askOf('Genoa')] }),
    malformed('version 1', { version: [] }),
    malformed('version 1, written out', { version: [integer(0)] }),
    malformed('version 3', { version: [integer(2)] }),
    malformed('no next update', { times: [time(NOW)] }),
    malformed('no time', { times: [] }),
    malformed('a next update of the same second', { times: [time(NOW), time(NOW)] }),
    authentic('a next update one second after', { crls: [crlOf({ times: [time(NOW), time(NOW + 1)] })] }),
    malformed('a next update before its own time', { times: [time(NOW), time(NOW - 1)] }),
    malformed('an empty list of entries', { entries: [] }),
    malformed('entries that are no SEQUENCE', { entries: integer(SERIALS.ask) }),
    malformed('an entry without a date', { entries: [sequence(integer(1))] }),
    malformed('an entry whose date is none', { entries: [sequence(integer(1), nothing())] }),
    malformed('an entry of four parts', { entries: [entry(1, REASON, REASON)] }),
    malformed('an entry whose extensions are none', { entries: [entry(1, nothing())] }),
    malformed('an entry with a critical extension', {
      entries: [entry(1, sequence(extension('2.5.29.29', nothing(), true)))],
    }),
    malformed('an entry with a negative serial number', { entries: [sequence(bytes('0201ff'), time(NOW))] }),
    malformed('an entry with a serial number of 21 bytes', {
      entries: [sequence(Buffer.concat([bytes('02157f'), Buffer.alloc(20)]), time(NOW))],
    }),
    authentic('an entry with a serial number of 20 bytes', {
      crls: [crlOf({ entries: [sequence(Buffer.concat([bytes('02147f'), Buffer.alloc(19)]), time(NOW))] })],
    }),
    malformed('no extensions', { extensions: [] }),
    malformed('no number', { extensions: [extension('1.2.3', nothing())] }),
    malformed('two numbers', { extensions: [NUMBER, NUMBER] }),
    malformed('a number that is none', { extensions: [extension('2.5.29.20', nothing())] }),
    malformed('a number that goes on', {
      extensions: [extension('2.5.29.20', Buffer.concat([integer(10), nothing()]))],
    }),
    malformed('a critical extension', { extensions: [NUMBER, extension('1.2.3', nothing(), true)] }),
    malformed('an extension that says critical: FALSE', {
      extensions: [NUMBER, sequence(oid('1.2.3'), boolean(false), octets(nothing()))],
    }),
    malformed('changes since another list', { extensions: [NUMBER, extension('2.5.29.27', integer(9))] }),
    malformed('a part of what is revoked', { extensions: [NUMBER, extension('2.5.29.28', sequence())] }),
    malformed('something after its extensions', { after: [nothing()] }),
    malformed('something after its entries and extensions', { entries: [entry(1)], after: [nothing()] }),
    malformed('an issuer of another organisation', {
      issuer: Buffer.from(nameOf('ARK-Genoa').toString('latin1').replace('Micro', 'Macro'), 'latin1'),
    }),
  ]
}

/** The reference values decide whether a list is required, and how old it may be. */
function ageVectors(): readonly Case[] {
  const grace = (graceSeconds: number, parts: CrlParts = {}): Choice => ({
    reference: referenceOf({ crl: { graceSeconds } }),
    crls: [crlOf(parts)],
  })
  const until = (end: number) => ({ times: [time(NOW - 10 * DAY), time(end)] })
  const milan = { roots: [usualRoot('Genoa', 'vcek', 'vlek'), usualRoot('Milan')] }
  return [
    accepted('a list that is demanded', grace(0)),
    accepted('a list in its first second', grace(0, { times: [time(NOW), time(NOW + DAY)] })),
    refused(
      'a list one second before its first',
      'crl.stale',
      grace(0, { times: [time(NOW + 1), time(NOW + DAY)] }),
    ),
    accepted('a list in its last second', grace(0, until(NOW))),
    refused('a list one second after its last', 'crl.stale', grace(0, until(NOW - 1))),
    accepted('a list in the last second of its grace', grace(3600, until(NOW - 3600))),
    refused('a list one second after its grace', 'crl.stale', grace(3600, until(NOW - 3601))),
    accepted('the latest of two lists counts', {
      ...grace(0),
      crls: [crlOf(), crlOf({ times: [time(NOW - 100 * DAY), time(NOW - 50 * DAY)] })],
    }),
    accepted('the latest of two lists counts, in any order', {
      ...grace(0),
      crls: [crlOf({ times: [time(NOW - 100 * DAY), time(NOW - 50 * DAY)] }), crlOf()],
    }),
    refused('no list where one is demanded', 'crl.missing', {
      reference: referenceOf({ crl: { graceSeconds: 0 } }),
    }),
    refused('the list of another root where one is demanded', 'crl.missing', {
      ...milan,
      reference: referenceOf({ crl: { graceSeconds: 0 } }),
      crls: [crlOf({ issuer: 'ARK-Milan' })],
    }),
    accepted('no list where none is demanded', { reference: referenceOf() }),
    accepted('a list that has ended where none is demanded', {
      reference: referenceOf(),
      crls: [crlOf(until(NOW - DAY))],
    }),
  ]
}
