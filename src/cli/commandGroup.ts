/** What the commands of one group share: `--json`, and actions that are loaded only when one of them runs. */
import type { Command } from 'commander'

/** Adds a command to the group. `help` follows its options. */
export function commandsOf(group: Command) {
  return (name: string, summary: string, description: string, help: string): Command =>
    group
      .command(name)
      .summary(summary)
      .description(description)
      .option('--json', 'print the result as one line of JSON')
      .addHelpText('after', help)
}

/** The action of a command: one of those that `load` gives. */
export function actionOf<Actions>(load: () => Promise<Actions>) {
  return <Parameters extends readonly unknown[]>(
    act: (actions: Actions) => (...parameters: Parameters) => Promise<void>,
  ) =>
    async (...parameters: Parameters): Promise<void> =>
      await act(await load())(...parameters)
}
