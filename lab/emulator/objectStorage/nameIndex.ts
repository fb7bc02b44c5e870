/** The names of a bucket in ascending order of their UTF-8 bytes, for listings. */
export type NameIndex = {
  readonly add: (name: string) => void
  readonly remove: (name: string) => void
  /** The names from `start` on, in order. */
  readonly from: (start: string) => IterableIterator<string>
}

export function createNameIndex(): NameIndex {
  const names: string[] = []
  const lowerBound = (name: string): number => {
    let low = 0
    let high = names.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareNames(names[middle] ?? '', name) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
  return {
    add: (name) => {
      const at = lowerBound(name)
      if (names[at] !== name) names.splice(at, 0, name)
    },
    remove: (name) => {
      const at = lowerBound(name)
      if (names[at] === name) names.splice(at, 1)
    },
    *from(start) {
      for (let at = lowerBound(start); at < names.length; at += 1) yield names[at] ?? ''
    },
  }
}

const SURROGATE = /[\ud800-\udfff]/

/** The order of UTF-16 units is that of UTF-8 bytes, except for surrogates. */
export function compareNames(a: string, b: string): number {
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a < b ? -1 : a > b ? 1 : 0
}
