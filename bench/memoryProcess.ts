/**
 * `node bench/memoryProcess.ts FILE THRESHOLD SIZE COUNT`: a process with the modules of a worker. It opens a
 * sealed object COUNT times at once, runs fhir-summary on it and seals each output. It prints how the jobs
 * ended and the highest memory of the process.
 */
import '../src/worker/boot.ts'
import '../src/worker/loop.ts'
import '../src/worker/material.ts'
import { generateKeyPairSync } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { loadSegmentCipher } from '#adapters/aead/native.ts'
import { codeOf } from '#core/errors.ts'
import { CODE_TABLE_DIGEST } from '#core/fhir/codeTable.ts'
import { expandScopes } from '#core/fhir/scope.ts'
import { exportJwk, RsaJwk } from '#core/jwk.ts'
import { encodeSealHeader, openObject } from '#core/sealed/object.ts'
import { sealResult } from '#core/sealed/result.ts'
import { plainMemory } from '#core/secretMemory.ts'
import { loadWorkloads } from '../src/worker/workloads/registry.ts'
import { runWorkload } from '../src/worker/workloads/run.ts'
import type { Workload } from '../src/worker/workloads/workload.ts'
import { HARD_DEK, HARD_HEADER } from './hardObjects.ts'

const MIB = 1024 * 1024
const [file = '', threshold, size, count] = process.argv.slice(2)
const { cipher } = loadSegmentCipher()
const workloads = await loadWorkloads()
const recipient = RsaJwk.parse(exportJwk(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey))
const grant = {
  scopes: [...expandScopes(['system/*.rs'])],
  projection: { view: 'minimal' as const },
  sensitive: [],
  codeTable: CODE_TABLE_DIGEST,
  iat: 1_795_219_200,
  output: {
    contentType: 'application/json',
    maxBytes: 1024 * MIB,
    disclosure: { form: 'threshold' as const, k: Number(threshold), cap: null },
  },
}

async function run(workload: Workload): Promise<string> {
  const chunks = openObject({
    headerJws: HARD_HEADER,
    size: Number(size),
    dek: HARD_DEK,
    chunks: createReadStream(file, { start: encodeSealHeader(HARD_HEADER).byteLength }),
    cipher,
    ownership: 'lent',
  })
  try {
    const { output, counts } = await runWorkload([chunks], grant, Buffer.alloc(32, 7), workload, null)
    const { parts } = sealResult({
      resultId: 'ab'.repeat(32),
      recipient,
      chunks: [output],
      size: output.byteLength,
      cipher,
      memory: plainMemory,
    })
    for await (const part of parts) void part
    return `${counts.read} lines, ${counts.withheld['malformed'] ?? 0} malformed`
  } catch (error) {
    return codeOf(error)
  }
}

const endings = await Promise.all(
  workloads.flatMap((workload) => Array.from({ length: Number(count) }, () => run(workload))),
)
const peakMib = process.resourceUsage().maxRSS / 1024
console.log(JSON.stringify({ peakMib, endings: [...new Set(endings)] }))
