/** The audit is intact: the command line exports and verifies the evidence, as an auditor would. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { objectOf, parseObject, textOf } from '../json.ts'
import type { Traces } from '../traces.ts'
import type { Violation } from '../world.ts'

const COMMAND_LINE = fileURLToPath(new URL('../../../../src/cli/main.ts', import.meta.url))
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024

export async function judgeAudit({ world }: Traces): Promise<readonly Violation[]> {
  const { audit, folders } = world
  if (audit === undefined) return []
  const violate = (text: string): readonly Violation[] => [
    { invariant: 'audit.not-intact', subject: folders.evidence, text },
  ]
  const exported = await run([
    'evidence',
    'export',
    '--config',
    audit.exportConfig,
    '--out',
    folders.evidence,
  ])
  if (exported.exit !== 0) return violate(`evidence export ends with ${exported.exit}: ${exported.stderr}`)
  const parameters = [folders.evidence, '--trust', audit.trust, '--simulation', '--json']
  const { exit, stdout, stderr } = await run(['evidence', 'verify', ...parameters])
  const report = parseObject(stdout)
  if (exit === 0 && report?.['verdict'] === 'intact') return []
  const findings = Array.isArray(report?.['findings']) ? report['findings'] : []
  const codes = new Set(findings.map((finding) => textOf(objectOf(finding)?.['code'])))
  return violate(`evidence verify ends with ${exit}: ${[...codes].join(', ')}${stderr}`)
}

type Ended = { readonly exit: unknown; readonly stdout: string; readonly stderr: string }

function run(parameters: readonly string[]): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>()
  execFile(
    process.execPath,
    [COMMAND_LINE, ...parameters],
    { maxBuffer: MAX_OUTPUT_BYTES },
    (error, stdout, stderr) => resolve({ exit: error === null ? 0 : error.code, stdout, stderr }),
  )
  return promise
}
