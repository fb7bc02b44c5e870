/** The end of a numbered sequence of objects, whose names can be listed only upwards. */

/** One page of a listing. A sequence that has grown by less costs one call. */
const PAGE = 1000
/** Far more than a sequence ever has. */
const MAX_NUMBER = 2 ** 40

/**
 * The highest number, or `from` if there is none above it. `above` gives the numbers above one, ascending, at
 * most `limit` of them.
 */
export async function lastNumber(
  above: (number: number, limit: number) => Promise<readonly number[]>,
  from: number,
): Promise<number> {
  const numbers = await above(from, PAGE)
  let last = numbers.at(-1) ?? from
  if (numbers.length < PAGE) return last
  // Invariant: there is no number at `last + 2 * step` or above.
  for (let step = MAX_NUMBER; step >= 1; step /= 2) last = (await above(last + step - 1, 1))[0] ?? last
  return last
}
