/**
 * Counts the different persons of each cell, up to the number that shows the cell. A mark says that a cell has
 * had a person. All marks are in one hash table of typed arrays with open addressing, so a mark costs at most
 * 40 bytes, and no object. The marks of a cell that has enough persons are swept out when the table fills.
 */
import { CodedError } from '#core/errors.ts'

/** With 11 persons per cell (CMS), 200,000 cells need no more. */
export const MAX_MARKS = 2_000_000
const FIRST_SLOTS = 2 ** 12
/** 10 bytes each; half of them remain empty. */
const MAX_SLOTS = 2 ** 22
const TWO_TO_32 = 2 ** 32

type Slots = {
  /** The number of the cell and 1, so that 0 is an empty slot. */
  readonly cell: Uint32Array
  /** The lower 32 and the upper 16 bits of the person. */
  readonly low: Uint32Array
  readonly high: Uint16Array
}

export class PersonMarks {
  readonly #enough: number
  /** Persons per cell. */
  #persons = new Uint32Array(1024)
  #slots = emptySlots(FIRST_SLOTS)
  #used = 0

  /** `enough` persons show a cell; 1 shows every cell, even one without a person. */
  constructor(enough: number) {
    this.#enough = enough
  }

  /** Cells are numbers from 0, persons are numbers of 48 bits. Throws `workload.failed` for too many marks. */
  add(cell: number, person: number): void {
    if (this.isEnough(cell)) return
    if (!put(this.#slots, cell, person % TWO_TO_32, Math.floor(person / TWO_TO_32))) return
    this.#count(cell)
    this.#used++
    if (this.#used * 2 > this.#slots.cell.length) this.#sweep()
  }

  isEnough(cell: number): boolean {
    return this.#enough === 1 || (this.#persons[cell] ?? 0) >= this.#enough
  }

  #count(cell: number): void {
    if (cell >= this.#persons.length) {
      const wider = new Uint32Array(Math.max(this.#persons.length * 2, cell + 1))
      wider.set(this.#persons)
      this.#persons = wider
    }
    this.#persons[cell] = (this.#persons[cell] ?? 0) + 1
  }

  /** Moves the marks that still count to a new table, twice as large if they are many. */
  #sweep(): void {
    const { cell, low, high } = this.#slots
    const isLive = (slot: number): boolean => (cell[slot] ?? 0) > 0 && !this.isEnough((cell[slot] ?? 0) - 1)
    let live = 0
    for (let slot = 0; slot < cell.length; slot++) if (isLive(slot)) live++
    if (live > MAX_MARKS)
      throw new CodedError('workload.failed', `the summary marks more than ${MAX_MARKS} persons in its cells`)
    const grows = live * 4 > cell.length && cell.length < MAX_SLOTS
    const slots = emptySlots(grows ? cell.length * 2 : cell.length)
    for (let slot = 0; slot < cell.length; slot++)
      if (isLive(slot)) put(slots, (cell[slot] ?? 0) - 1, low[slot] ?? 0, high[slot] ?? 0)
    this.#slots = slots
    this.#used = live
  }
}

function emptySlots(count: number): Slots {
  return { cell: new Uint32Array(count), low: new Uint32Array(count), high: new Uint16Array(count) }
}

/** False if the mark is there already. At least one slot is empty. */
function put(slots: Slots, cell: number, low: number, high: number): boolean {
  const mask = slots.cell.length - 1
  let slot = mixed(mixed(low ^ high) + cell) & mask
  for (; slots.cell[slot] !== 0; slot = (slot + 1) & mask)
    if (slots.cell[slot] === cell + 1 && slots.low[slot] === low && slots.high[slot] === high) return false
  slots.cell[slot] = cell + 1
  slots.low[slot] = low
  slots.high[slot] = high
  return true
}

/** The finalizer of MurmurHash3: every bit of the argument changes half of the bits of the result. */
function mixed(bits: number): number {
  const once = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b)
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2_ae35)
  return twice ^ (twice >>> 16)
}
