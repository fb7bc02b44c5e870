/** Contrast as WCAG 2.2 defines it, of colours that a browser computed. */
/** The colours of a text, as `look.colours()` gives them. */
export type Pair = {
  readonly what: string
  readonly color: string
  readonly ground: string
  /** Of at least 18 point, or 14 point in bold: it needs less. */
  readonly large: boolean
}

/** From 1 to 21. */
export function contrast(a: string, b: string): number {
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x)
  return (light + 0.05) / (dark + 0.05)
}

function luminance(color: string): number {
  const channels = [...color.matchAll(/[\d.]+/g)].map(([value]) => Number(value) / 255)
  const [r = 0, g = 0, b = 0] = channels.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
