/** Configuration files of the three programs, of any text. */
import { isDeepStrictEqual } from 'node:util'
import type { z } from 'zod'
import { parseConfig } from '#adapters/system/configFile.ts'
import { CodedError } from '#core/errors.ts'
import { FunctionConfig } from '../../../src/function/config.ts'
import { VerifierConfig } from '../../../src/verifier/config.ts'
import { WorkerConfig } from '../../../src/worker/config.ts'
import { exampleOf } from '../../configuration.ts'
import { mutateJson } from '../json.ts'
import { type Target, Violation } from '../target.ts'

const SCHEMAS: readonly z.ZodType[] = [WorkerConfig, VerifierConfig, FunctionConfig]
/** A refusal names the file, or at least one field with what it must be. */
const REFUSAL = /^program configuration is malformed: \S|^program: \/fuzz\.json is not JSON in UTF-8$/

export const config: Target = {
  name: 'config',
  what: 'configuration files of worker, Verifier and function',
  weight: 1,
  quick: 2000,
  codes: ['config.invalid'],
  open: async () => {
    const examples = SCHEMAS.map(exampleOf)
    return {
      generate: (random) => {
        const at = random.below(SCHEMAS.length)
        return [
          Buffer.of(at),
          random.oneIn(20) ? Buffer.from(JSON.stringify(examples[at])) : mutateJson(examples[at], random),
        ]
      },
      check: ([at, text = Buffer.alloc(0)]) => {
        const schema = SCHEMAS[at?.[0] ?? -1]
        if (schema !== undefined) checkConfig(text, schema)
      },
    }
  },
}

function checkConfig(text: Buffer, schema: z.ZodType): void {
  const parse = (bytes: Uint8Array) => parseConfig(bytes, '/fuzz.json', schema, 'program')
  let value: unknown
  try {
    value = parse(text)
  } catch (error) {
    if (error instanceof CodedError && error.code === 'config.invalid' && !REFUSAL.test(error.message))
      throw new Violation(`a refusal does not say what is wrong: ${error.message}`)
    throw error
  }
  if (!isDeepStrictEqual(parse(Buffer.from(JSON.stringify(value))), value))
    throw new Violation('a configuration is another one when it is written and read again')
}
