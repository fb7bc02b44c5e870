/**
 * Decodes the entries of one log in order: strict form, no earlier time than before, opened first and closed
 * last.
 */
import type { Role } from '../../../boot/boot.ts'
import { type Entry, EntryFormat } from '../../entry.ts'
import { type FindInLog, messageOf } from '../finding.ts'

export class EntryDecoder {
  readonly #role: Role
  readonly #boot: string
  readonly #find: FindInLog
  opened: Extract<Entry, { event: 'log.opened' }> | undefined
  openedAt: number | null = null
  lastAt: number | null = null
  closed = false

  constructor(role: Role, boot: string, find: FindInLog) {
    this.#role = role
    this.#boot = boot
    this.#find = find
  }

  /** Undefined for an entry that is lost or malformed. */
  decode(index: number, bytes: Buffer | undefined): Entry | undefined {
    const entry = this.#parse(index, bytes)
    if (entry === undefined) return undefined
    const { event, time } = entry
    if (this.lastAt !== null && time < this.lastAt)
      this.#find('time.backwards', index, `${event} is ${this.lastAt - time} s older than the entry before`)
    if (this.closed) this.#find('log.order', index, `${event} follows log.closed`)
    if ((event === 'log.opened') !== (index === 0))
      this.#find('log.order', index, `entry ${index} is ${event}`)
    this.openedAt ??= time
    this.lastAt = time
    if (entry.event === 'log.closed') this.closed = true
    if (entry.event === 'log.opened') {
      this.opened = entry
      if (entry.boot !== this.#boot || entry.role !== this.#role)
        this.#find('log.order', index, `log.opened names the ${entry.role} ${entry.boot}`)
    }
    return entry
  }

  #parse(index: number, bytes: Buffer | undefined): Entry | undefined {
    try {
      return bytes === undefined ? undefined : EntryFormat.decode(bytes)
    } catch (error) {
      this.#find('entry.malformed', index, messageOf(error))
      return undefined
    }
  }
}
