/**
 * A fake of configfs-tsm after the kernel's (drivers/virt/coco/tsm.c of Linux 6.12), over a provider of
 * reports. It has the kernel's attributes and their limits, makes reports when the kernel does, counts
 * writes, and gives the same errnos.
 */
import { constants as os } from 'node:os'
import { basename, dirname } from 'node:path'
import type { AttributeFiles } from '#adapters/sev/tsm.ts'

export type Blobs = { readonly outblob: Buffer; readonly auxblob: Buffer }

type Entry = {
  inblob: Buffer
  privlevel: number
  /** Counted modulo 2³², as in the kernel. */
  writes: number
  read: number
  blobs: Blobs | undefined
}

const INBLOB_MAX = 64
const PRIVLEVEL_MAX = 3

export class TsmProvider implements AttributeFiles {
  /** Undefined if no driver is registered. */
  provider: string | undefined = 'sev_guest'
  floor = 0
  /** The firmware's answer. May throw `errno(…)`. */
  make: (inblob: Buffer, privlevel: number) => Blobs
  /** Called before each call. It may act as another process, or fail as a file system. */
  before: (call: string, path: string) => void = () => {}
  readonly entries = new Map<string, Entry>()
  readonly calls: string[] = []

  constructor(make: (inblob: Buffer, privlevel: number) => Blobs) {
    this.make = make
  }

  readonly makeFolder = async (path: string): Promise<void> => {
    this.enter('mkdir', path)
    if (this.provider === undefined) throw errno('ENXIO')
    if (this.entries.has(path)) throw errno('EEXIST')
    this.entries.set(path, { inblob: Buffer.alloc(0), privlevel: 0, writes: 0, read: 0, blobs: undefined })
  }

  readonly removeFolder = async (path: string): Promise<void> => {
    this.enter('rmdir', path)
    if (!this.entries.delete(path)) throw errno('ENOENT')
  }

  readonly write = async (path: string, bytes: Uint8Array): Promise<void> => {
    this.enter('write', path)
    const entry = this.entryOf(path)
    switch (basename(path)) {
      case 'inblob':
        // A binary attribute takes effect when it is closed, where an error reaches no one.
        if (bytes.byteLength > INBLOB_MAX) throw errno('EFBIG')
        if (advance(entry)) entry.inblob = Buffer.from(bytes)
        return
      case 'privlevel': {
        // kstrtouint, base 0.
        const text = Buffer.from(bytes).toString('latin1').replace(/\n$/, '')
        if (!/^\+?(?:0x[0-9a-f]+|\d+)$/i.test(text)) throw errno('EINVAL')
        const level = Number(text)
        if (level < this.floor || level > PRIVLEVEL_MAX) throw errno('EINVAL')
        if (!advance(entry)) throw errno('EBUSY')
        entry.privlevel = level
        return
      }
      default:
        throw errno('EACCES')
    }
  }

  readonly read = async (path: string): Promise<Buffer> => {
    this.enter('read', path)
    const entry = this.entryOf(path)
    switch (basename(path)) {
      case 'provider':
        return Buffer.from(`${this.provider ?? ''}\n`)
      case 'generation':
        return Buffer.from(`${entry.writes}\n`)
      case 'privlevel_floor':
        return Buffer.from(`${this.floor}\n`)
      case 'outblob':
        return this.report(entry).outblob
      case 'auxblob':
        return this.report(entry).auxblob
      default:
        throw errno(basename(path) === 'inblob' ? 'EACCES' : 'ENOENT')
    }
  }

  private report(entry: Entry): Blobs {
    if (this.provider === undefined) throw errno('ENXIO')
    if (entry.inblob.byteLength === 0) throw errno('EINVAL')
    if (entry.blobs === undefined || entry.read !== entry.writes) {
      entry.blobs = undefined
      entry.blobs = this.make(entry.inblob, entry.privlevel)
      entry.read = entry.writes
    }
    return entry.blobs
  }

  private enter(call: string, path: string): void {
    this.before(call, path)
    this.calls.push(`${call} ${call === 'read' || call === 'write' ? basename(path) : 'entry'}`)
  }

  private entryOf(path: string): Entry {
    const entry = this.entries.get(dirname(path))
    if (entry === undefined) throw errno('ENOENT')
    return entry
  }
}

/** An error as node:fs throws it. */
export function errno(name: keyof typeof os.errno): Error {
  return Object.assign(new Error(name), { code: name, errno: -os.errno[name] })
}

/** False if the counter would reach its last read again, after that many writes without a read. */
function advance(entry: Entry): boolean {
  if (entry.writes === (entry.read - 1) >>> 0) return false
  entry.writes = (entry.writes + 1) >>> 0
  return true
}
