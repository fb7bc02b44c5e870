/** From the options of a policy command to its work and its output. */
import { systemClock } from '#adapters/system/clock.ts'
import { createFile } from '#adapters/system/files.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { wrap } from '#cli/textBlock.ts'
import { utf8 } from '#core/bytes.ts'
import { CodedError } from '#core/errors.ts'
import { PolicySchema, policyJsonSchema } from '#core/policy/policy.ts'
import { diffPolicies } from './diff.ts'
import { renderDiff } from './diffText.ts'
import { policyForm, renewed } from './form.ts'
import { answersOf, daysOf, type InitOptions, policyInForce } from './initOptions.ts'
import { findingsOf, policyIn, readPolicyFile } from './policyFile.ts'
import { sayPolicy } from './say.ts'
import { timeText } from './words.ts'

type Json = { readonly json?: boolean }

export function createActions({ terminal, exit }: CommandContext) {
  const tell = (json: boolean | undefined, value: object, text: () => string) => {
    if (json === true) terminal.printJson(value)
    else terminal.print(text())
  }
  const readPolicy = async (path: string) => policyIn(await readPolicyFile(path), path)
  return {
    init: async (options: InitOptions & Json) => {
      const { out, from, next, json } = options
      if (from !== undefined && next === true)
        throw new CodedError('usage.invalid', 'give --from FILE or --next, not both')
      const [days, now] = [daysOf(options.days), systemClock.now()]
      const last = next === true ? await policyInForce(options) : from && (await readPolicy(from))
      const policy = last ? renewed(last, { now, days }) : policyForm(await answersOf(options, { now, days }))
      await createFile(out, [utf8(`${JSON.stringify(policy, undefined, 2)}\n`)], { mode: 0o644 })
      const { form } = findingsOf(policy)
      tell(json, { file: out, seq: policy.seq, open: form }, () =>
        [`policy ${policy.seq}  ${out}`, ...form.map((problem) => `  ${problem}`), ''].join('\n'),
      )
    },

    check: async (file: string, { json }: Json) => {
      const { value } = await readPolicyFile(file)
      const { form, rules } = findingsOf(value)
      const problems = form.length > 0 ? form : [...rules, ...endProblems(value)]
      const verdict = form.length > 0 ? 'malformed' : problems.length > 0 ? 'unsuitable' : 'suitable'
      tell(json, { verdict, problems }, () =>
        problems.length === 0
          ? `suitable: ${file} breaks no rule\n`
          : `${verdict}: ${file}\n${problems.map((problem) => `${wrap(`- ${problem}`)}\n`).join('')}`,
      )
      exit(VERDICT_EXITS[verdict])
    },

    say: async (file: string, { json }: Json) => {
      const text = sayPolicy(await readPolicy(file))
      tell(json, { text }, () => text)
    },

    diff: async (oldFile: string, newFile: string, { json }: Json) => {
      const [before, after] = [await readPolicy(oldFile), await readPolicy(newFile)]
      const changes = diffPolicies(before, after)
      tell(json, { from: before.seq, to: after.seq, changes }, () => renderDiff(before, after, changes))
    },

    schema: async (_options: Json) => {
      terminal.print(policyJsonSchema())
    },
  }
}

const VERDICT_EXITS = { suitable: 0, unsuitable: 1, malformed: 2 } as const

/** A policy that has ended is in its form, and releases nothing. */
function endProblems(value: unknown): readonly string[] {
  const { expiresAt } = PolicySchema.parse(value)
  return expiresAt > systemClock.now() ? [] : [`the policy has ended at ${timeText(expiresAt)}`]
}
