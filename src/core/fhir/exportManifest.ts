/**
 * The manifest of a FHIR bulk export (HL7 Bulk Data Access 3.0, "Response - Complete Status"): which files the
 * server wrote, and with how many resources. A set is sealed from exactly these.
 */
import { z } from 'zod'
import { checkShape, parseJson } from '../canonical.ts'
import { CodedError, under } from '../errors.ts'
import { count } from '../fields.ts'

export const MAX_EXPORT_MANIFEST_BYTES = 1024 * 1024

const Output = z.object({
  /** A file has resources of one type. */
  type: z.string().min(1).max(64),
  url: z.url().max(2048),
  /** Resources in the file. */
  count: count.optional(),
  /** Bytes of the file, as some servers say. */
  fileSize: count.optional(),
})

/** Servers add fields of their own. */
const Schema = z.object({
  output: z.array(Output).min(1).max(10_000),
  link: z.array(z.object({ relation: z.string() })).optional(),
})
export type ExportManifest = z.output<typeof Schema>

/** One file as it was found; `lines` are those that are not blank. */
export type ExportedFile = {
  readonly name: string
  readonly size: number
  readonly lines: number
  /** The types of these lines, each once; `NO_RESOURCE` for a line that has none. */
  readonly types: readonly string[]
}

/** Throws `export.malformed`. */
export function parseExportManifest(bytes: Uint8Array): ExportManifest {
  return under('export.malformed', () =>
    checkShape(
      Schema,
      parseJson(bytes, 'export manifest'),
      'export manifest',
      'export.malformed',
      'operator',
    ),
  )
}

/**
 * Throws `export.incomplete` unless the files are those of the manifest, each once, by the last part of their
 * URL, and have its types, sizes and counts. A server may leave out either figure.
 */
export function expectExport(manifest: ExportManifest, files: readonly ExportedFile[]): void {
  const problems = [...problemsOf(manifest, files)]
  if (problems.length > 0)
    throw new CodedError('export.incomplete', `the files differ from the manifest: ${problems.join('; ')}`)
}

function* problemsOf(
  { output, link = [] }: ExportManifest,
  files: readonly ExportedFile[],
): Generator<string, void, undefined> {
  if (link.some(({ relation }) => relation === 'next')) yield 'the manifest has further pages'
  const outputs = Map.groupBy(output, ({ url }) => nameIn(url))
  const found = Map.groupBy(files, ({ name }) => name)
  for (const [name, named] of outputs) {
    const [file, ...others] = found.get(name) ?? []
    if (file === undefined) yield `${name} is missing`
    else if (named.length > 1 || others.length > 0) yield `${name} is named more than once`
    else yield* differencesOf(file, named[0])
  }
  for (const name of found.keys()) if (!outputs.has(name)) yield `${name} is not in the manifest`
}

function* differencesOf(
  { name, size, lines, types }: ExportedFile,
  output: ExportManifest['output'][number] | undefined,
) {
  const others = types.filter((type) => type !== output?.type)
  if (others.length > 0) yield `${name} has ${others.join(' and ')}, expected only ${output?.type}`
  if (output?.fileSize !== undefined && output.fileSize !== size)
    yield `${name} has ${size} bytes, expected ${output.fileSize}`
  if (output?.count !== undefined && output.count !== lines)
    yield `${name} has ${lines} resources, expected ${output.count}`
}

function nameIn(url: string): string {
  const { pathname } = new URL(url)
  const last = pathname.slice(pathname.lastIndexOf('/') + 1)
  try {
    return decodeURIComponent(last)
  } catch {
    return last
  }
}
