/** The commands `consent start`, `withdraw`, `restore`, `check` and `list`. */
import type { Command } from 'commander'
import { actionOf, commandsOf } from '#cli/commandGroup.ts'
import { GOVERN_CONFIGURATION } from '#cli/policy/help.ts'
import type { CommandContext } from '#cli/terminal.ts'

const FILE = 'one id per line, as in the exports of the dataset; "Patient/" before it is allowed'

export function addConsentCommands(program: Command, context: CommandContext): void {
  const run = actionOf(async () => (await import('./actions.ts')).createActions(context))
  const group = program
    .command('consent')
    .summary('withdraw patients from a dataset, and see to its lists')
    .description(
      'Patients who withdrew never reach a workload, without anything being sealed anew. A dataset whose policy has consent keys (datasets[].consent) is released only under lists of who withdrew: the worker withholds what is of them, or refers to them. The lists are sealed; neither the Verifier nor any log learns an id. A result that exists is not made anew.',
    )
  const add = commandsOf(group)
  signing(
    add(
      'start',
      'publish the empty first list of a dataset',
      'Before it, nothing is released from a dataset with consent keys (consent.none).',
      help('confidential-worker consent start --dataset cohort --config privacy.json --key officer.pem', {
        0: 'published',
        1: 'refused: the dataset has a list already, or the key is no consent key of it',
      }),
    ),
  ).action(run(({ start }) => start))
  patients(
    signing(
      add(
        'withdraw',
        'withdraw patients: one consent key is enough',
        'Seals the ids to a key of the Vault, stores them, and publishes the list. It counts for the next release, a few seconds later. It only adds: no one person takes a withdrawal back (consent restore). Ids are not compared with the dataset, so check them before. Prefer a file to --patient, which stays in the history of your shell.',
        help(
          'confidential-worker consent withdraw withdrawn.txt --dataset cohort --config privacy.json --key officer.pem',
          {
            0: 'published',
            1: 'refused: the key is no consent key of the dataset, or there are too many ids',
          },
        ),
      ).argument('[file]', FILE),
    ),
  ).action(run(({ withdraw }) => withdraw))
  patients(
    add(
      'restore',
      'write the list by which a quorum takes withdrawals back, or merges lists',
      'Opens the lists in force, and seals one without these patients that replaces them. Without a patient it only merges them, which a dataset needs before it has more than 64. The draft needs the quorum: policy sign, then policy publish. Whoever withdraws in between stays withdrawn.',
      help(
        'confidential-worker consent restore --patient 7 --dataset cohort --config privacy.json --out restore.json',
        { 0: 'written', 1: 'refused: a patient has not withdrawn' },
      ),
    ).argument('[file]', FILE),
  )
    .requiredOption('--out <file>', 'the draft, a new file')
    .action(run(({ restore }) => restore))
  patients(
    add(
      'check',
      'say whether patients have withdrawn',
      'Opens the lists in force, which needs their Vault key. It prints how many of those you name have withdrawn, and no id.',
      help('confidential-worker consent check --patient 7 --dataset cohort --config privacy.json', {
        0: 'all of them have withdrawn',
        1: 'not all of them',
      }),
    ).argument('[file]', FILE),
  ).action(run(({ check }) => check))
  add(
    'list',
    'show the lists in force, and whether anything is released',
    'Opens no list: it shows numbers, dates and padded sizes.',
    help('confidential-worker consent list --dataset cohort --config privacy.json', {
      0: 'releases go on under these lists',
      1: 'nothing is released: there is no list, or too many',
    }),
  ).action(run(({ list }) => list))
  for (const command of group.commands)
    command
      .requiredOption('--config <file>', 'the pin and the bucket (below)')
      .requiredOption('--dataset <id>', 'a dataset of the policy in force')
}

function signing(command: Command): Command {
  return command
    .requiredOption('--key <file or OCID>', 'a consent key of the dataset')
    .option('--yes', 'do not ask')
    .option('--wait <seconds>', 'for a freshness statement that names it (default: 120)', '120')
}

function patients(command: Command): Command {
  return command.option('--patient <id>', 'a patient; may be repeated', collect, [])
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

function help(example: string, codes: { readonly 0: string; readonly 1: string }): string {
  return `
Example
  ${example}
${GOVERN_CONFIGURATION}

Exit codes
  0   ${codes[0]}
  1   ${codes[1]}
  2   a wrong command line, or a file that cannot be read
  75  the storage or the Vault does not answer: try again
  78  the configuration must be changed first`
}
