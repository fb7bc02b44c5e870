/** The commands `policy init`, `check`, `say`, `diff` and `schema`, and those of two other files. */
import type { Command } from 'commander'
import { actionOf, commandsOf } from '#cli/commandGroup.ts'
import type { CommandContext } from '#cli/terminal.ts'
import { addRotationCommands } from './rotationCommand.ts'
import { addSigningCommands } from './signingCommand.ts'

const ORDER = `
How a policy comes into force
  policy init --tenant … --out policy.json     a form; fill in what is in angle brackets
  policy check policy.json                     every problem at once
  policy say policy.json                       what it allows, in plain words
  policy diff before.json policy.json          what changes, and what lets more out
  policy sign policy.json --config … --key …   each signer in turn, after reading it
  policy publish policy.signed.json --config …`

export function addPolicyCommands(program: Command, context: CommandContext): void {
  const group = program
    .command('policy')
    .helpCommand(false)
    .summary('write, check, explain, sign and publish release policies')
    .description(
      'A policy says which client may have which data, for what, under which rules and on which machines. At least two persons of the provider sign it. Every command takes a policy as a draft or as signed.',
    )
    .addHelpText('after', ORDER)
  const run = actionOf(async () => (await import('./actions.ts')).createActions(context))
  const command = commandsOf(group)

  command(
    'init',
    'write a form of a policy, or the next policy from the last one',
    'Writes a policy with one client, one dataset and one permission to a new file. What no option gives is a placeholder in angle brackets that says what belongs there; with one left the policy does not pass "policy check". With --from or --next it writes the next policy instead: the same terms, the next number, in force from now on. It never raises an edition.',
    `
Examples
  confidential-worker policy init --tenant hospital --audience https://verifier.hospital.example \\
    --client research --dataset cohort --scope system/Observation.rs --client-key client.pem --out policy-1.json
  confidential-worker policy init --from policy-1.json --out policy-2.json
  confidential-worker policy init --next --config govern.json --out policy-2.json

Keys are public: a PEM file, or a JSON file with {"jwk", "keyId", "keyVersionId"}, which --recipient needs.

Exit codes
  0   written
  1   --from: the policy breaks a rule
  2   malformed input, a wrong command line, or the file exists already`,
  )
    .requiredOption('--out <file>', 'the policy, a new file')
    .option('--from <file>', 'the policy that this one replaces')
    .option('--next', 'the policy that this one replaces is the one in force; needs --config')
    .option('--days <n>', 'how long it is in force, 1 to 90 (default: 30)', '30')
    .option('--tenant <name>', "the provider's name")
    .option('--audience <origin>', "the Verifiers' name, an https origin")
    .option('--client <name>', "the consumer's name")
    .option('--dataset <name>', "the dataset's name")
    .option('--purpose <code>', 'the purpose of use (default: HRESCH)', 'HRESCH')
    .option('--permission <name>', 'the id of the permission (default: CLIENT-DATASET)')
    .option('--scope <scope>', 'a SMART v2 system scope; may be repeated', collect, [])
    .option('--reference <file>', 'reference values, as "approve" prints them; may be repeated', collect, [])
    .option('--workload <name@sha256>', 'what is computed, as "worker --trust" prints it')
    .option('--key-id <ocid>', 'the Vault key that wraps the data keys')
    .option('--client-key <file>', 'P-384: signs the assertions of the client')
    .option('--audit-key <file>', 'P-256: counts in evidence are sealed to it')
    .option('--sealing-key <file>', 'Ed25519 or P-384: signs the headers of sealed files')
    .option('--recipient <file>', 'RSA: opens the results')
    .option('--identity-key <ocid>', 'the Vault key (AES-256) that wraps a new identity key; needs --config')
    .option('--consent-key <file>', 'Ed25519 or P-384: may withdraw patients (consent withdraw)')
    .option('--consent-vault-key <ocid>', 'the Vault key (AES-256) under which consent lists are sealed')
    .option('--config <file>', 'bucket and Vault, as for "policy sign"')
    .option(
      '--simulated-root <file>',
      'an emulated ARK in DER: the policy is then a simulation, with synthetic data',
    )
    .action(run(({ init }) => init))

  command(
    'check',
    'name every problem of a policy at once',
    'Checks the form of a policy (every field is there, none is unknown) and the rules that a Verifier applies when it loads one. It needs no network and does not check signatures.',
    `
Example
  confidential-worker policy check policy-1.json

Exit codes
  0   it loads in a Verifier of the same tenant, audience and simulation
  1   a rule is broken, or the policy has ended
  2   a field is absent, unknown or not of its form, or the file is not JSON`,
  )
    .argument('<file>', 'a policy, draft or signed')
    .action(run(({ check }) => check))

  command(
    'say',
    'say in plain words what a policy allows, and what not',
    'Prints for the person who answers for the data: who gets which data for which purpose, under which output rule and quota, until when, on which machines, and what is not allowed. If the consumer administers the machines, it says that the release is a disclosure.',
    `
Example
  confidential-worker policy say policy-1.json

Exit codes
  0   said
  1   not said, since the policy breaks a rule
  2   not a policy`,
  )
    .argument('<file>', 'a policy, draft or signed')
    .action(run(({ say }) => say))

  command(
    'diff',
    'say what changes from one policy to the next',
    'Prints every change in words, the most serious first: !! for a raised edition, since the same question is then answered a second time; ++ for what lets more out; ?? for what a person must look at; -- for what lets less out.',
    `
Example
  confidential-worker policy diff policy-1.json policy-2.json

Exit codes
  0   said
  1   not said, since one of them breaks a rule
  2   not a policy`,
  )
    .argument('<old>', 'a policy, draft or signed')
    .argument('<new>', 'a policy, draft or signed')
    .action(run(({ diff }) => diff))

  command(
    'schema',
    'print the JSON Schema of a policy',
    'Prints the form of a policy as JSON Schema (draft 2020-12), for editors. "policy check" applies rules beyond it.',
    `
Example
  confidential-worker policy schema > policy.schema.json

Exit codes
  0   printed`,
  ).action(run(({ schema }) => schema))
  addRotationCommands(group, context)
  addSigningCommands(group, context)
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}
