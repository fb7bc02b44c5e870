/** The commands `evidence prove` and `evidence check-proof`. */
import type { Command } from 'commander'
import { actionOf, commandsOf } from '#cli/commandGroup.ts'

export function addProofCommands(evidence: Command, load: () => Promise<ProofActions>): void {
  const add = commandsOf(evidence)
  const act = actionOf(load)
  add(
    'prove',
    'write the proof of one entry as a file',
    'Writes one entry of a log with everything that proves it: its place under a signed checkpoint, and the documents that lead from the key of the log to the root of the provider. The file shows nothing else of the log, and `evidence check-proof` checks it without the evidence.',
    `
Example
  confidential-worker evidence prove ./evidence krfgs7nmdenwnae6sanliewp3m 7 -o proof.json

Exit codes
  0   written
  2   DIR does not have the log, the entry or the checkpoint, or FILE exists`,
  )
    .argument('<dir>', 'a folder that `evidence export` wrote')
    .argument('<boot>', 'the log: the boot that wrote it')
    .argument('<index>', 'the number of the entry, from 0')
    .requiredOption('-o, --output <file>', 'the proof, which must not exist')
    .option('--size <n>', 'prove it under the checkpoint of this size (default: the newest)')
    .action(act(({ prove }) => prove))
  add(
    'check-proof',
    'check the proof of one entry',
    'Checks the proof of an entry from the root of the provider on: the signatures over the keys of the Verifier, the registration of the boot, its checkpoint, and the path of hashes from the entry. Needs no network and no other evidence.',
    `
A checkpoint that you kept yourself shows that the log is still the one that you saw. The proof must be made
for its size: \`evidence prove --size N\`.

Example
  confidential-worker evidence check-proof proof.json --trust root.json

Exit codes
  0   the entry is proven
  1   a step of the proof does not hold
  2   no proof, or no root`,
  )
    .argument('<file>', 'a file that `evidence prove` wrote')
    .requiredOption('--trust <file>', 'the root of the provider, from a source other than the proof')
    .option('--checkpoint <file>', 'a checkpoint of this log that you trust')
    .option('--simulation', 'accept the log of a simulated machine', false)
    .action(act(({ checkProof }) => checkProof))
}

export type ProofActions = {
  readonly prove: (
    dir: string,
    boot: string,
    index: string,
    options: { readonly output: string; readonly size?: string; readonly json?: boolean },
  ) => Promise<void>
  readonly checkProof: (
    file: string,
    options: {
      readonly trust: string
      readonly checkpoint?: string
      readonly simulation: boolean
      readonly json?: boolean
    },
  ) => Promise<void>
}
