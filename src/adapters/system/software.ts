/** The software's name for itself: a claim. Nothing is granted because of it. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { parseJson } from '#core/canonical.ts'

const Manifest = z.object({ name: z.string(), version: z.string() })

/** `name/version` of package.json. */
export function softwareName(): string {
  const bytes = readFileSync(new URL('../../../package.json', import.meta.url))
  const { name, version } = Manifest.parse(parseJson(bytes, 'package.json'))
  return `${name}/${version}`
}
