/** The emulator's command line and its help page. */
import { parseArgs } from 'node:util'
import { CodedError } from '#core/errors.ts'
import { usageError } from '#lab/usageError.ts'

export const HELP = `Usage: node lab/emulator/main.ts --config FILE --data DIR

Serves the parts of Oracle Cloud that the pipeline uses, on loopback and over OCI's own wire protocols:
Object Storage with events, Streaming, Vault, secrets, Functions, the metadata service of each instance and
the federation endpoint. It checks request signatures and IAM policies as OCI does. It also simulates an AMD
host: each guest asks its firmware for reports through a unix socket, and a key distribution service hands
out the certificates. For tests and the demo; nothing it serves is confidential.

When it serves, it prints one line of JSON on stdout with the addresses of everything. Logs go to stderr.

Options
  --config FILE  the configuration: tenancies, users, buckets, keys, streams, policies, guests
  --data DIR     the folder of all state, created if absent; a restart over it continues where it stopped
  --help         print this page

Configuration
  One JSON file. lab/emulator/config.ts documents each field, and unknown fields are refused.
  A complete example: run "npm run demo" and read config/emulator.json in its output folder.

Control, unsigned and on loopback only
  GET /emulator/state               events that no function has taken yet
  GET /emulator/calls               how many calls got which status
  POST /emulator/versions           gives a key or secret a new version: {"id": "ocid1.key…"}
  POST /emulator/clock              moves its clock: {"offsetSeconds": 600}
  GET|POST|DELETE /emulator/faults  list, arm or clear faults: a status, a delay, a cut connection

Signals
  The first SIGTERM or SIGINT closes every service; the second ends the process at once.

Exit codes
  0   ended by a signal
  1   the shutdown failed or was cut short
  2   wrong arguments
  75  a fault; the log names it, and another start may help
  78  the configuration is invalid
`

export type EmulatorArguments = { readonly config: string; readonly data: string }

/** Undefined if the help page was asked for. Throws `usage.invalid`. */
export function readArguments(parameters: readonly string[]): EmulatorArguments | undefined {
  const { config, data, help } = parse(parameters)
  if (help === true) return undefined
  if (config === undefined) throw new CodedError('usage.invalid', 'the option --config FILE is missing')
  if (data === undefined) throw new CodedError('usage.invalid', 'the option --data DIR is missing')
  return { config, data }
}

function parse(parameters: readonly string[]) {
  try {
    return parseArgs({
      args: [...parameters],
      options: {
        config: { type: 'string' },
        data: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (cause) {
    throw usageError(cause)
  }
}
