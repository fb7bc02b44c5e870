/** The commands `enrol authority`, `request`, `issue`, `renew`, `revoke`, `crl` and `list`. */
import type { Command } from 'commander'
import { actionOf, commandsOf } from '#cli/commandGroup.ts'
import type { CommandContext } from '#cli/terminal.ts'

const CONFIGURATION = `
Configuration (JSON; it holds no secret). One file per authority.
  {
    "folder": "/srv/enrolment/workers",
    "key": {"kind": "vault", "keyId": "ocid1.key.oc1…"},
    "oci": {"region": "eu-frankfurt-1",
            "principal": {"kind": "config-file", "path": "/home/me/.oci/config", "profile": "ENROLMENT"},
            "endpoints": {"vaultCrypto": "https://…", "vaultManagement": "https://…"}},
    "simulation": false
  }
  folder is the authority's register; back it up. key is a P-384 key in the Vault or, for a small site,
  {"kind": "file", "path": "/…/authority.key"} with an Ed25519 or P-384 key, and then "oci" is left out.`

const ORDER = `
The provider runs two authorities: one for workers, one for its Verifiers.
  provider   enrol authority --config workers.json --name "Hospital workers" --for workers
  research   enrol request --name worker-1               makes worker-1.key and worker-1.csr; sends the .csr
  provider   enrol issue worker-1.csr --config workers.json --name worker-1      sends worker-1.pem back
  later      enrol renew worker-1.pem …, enrol revoke worker-1.pem …, enrol crl …
authority.pem is the workers' verifier.ca or the Verifiers' tls.clientCa; crl.pem is verifier.crl or
tls.clientCrl. Both programs read new files within 30 seconds, or at once after SIGHUP.`

const EXITS = `
  2   malformed input or a wrong command line
  75  the Vault does not answer: try again
  78  the configuration or the register must be changed first`

export function addEnrolCommands(program: Command, context: CommandContext): void {
  const group = program
    .command('enrol')
    .helpCommand(false)
    .summary('certificates for the TLS between workers and Verifier')
    .description(
      'Requests, issues, renews and revokes the certificates with which workers and Verifiers meet. They keep strangers out; who gets a key is decided by attestation.',
    )
    .addHelpText('after', ORDER)
  const run = actionOf(async () => (await import('./actions.ts')).createActions(context))
  const command = commandsOf(group)

  command(
    'authority',
    'create a CA for workers or for Verifiers',
    'Creates a CA: its certificate, signed by its own key, its register and its first revocation list, which is empty. It can certify one purpose only and no other CA.',
    `
Example
  confidential-worker enrol authority --config workers.json --name "Hospital workers" --for workers
${CONFIGURATION}

Exit codes
  0   created${EXITS}`,
  )
    .requiredOption('--config <file>', 'register and key (below)')
    .requiredOption('--name <text>', 'its name in certificates, up to 64 characters')
    .requiredOption('--for <role>', 'workers or verifiers')
    .option('--days <n>', 'its life (default: 1825)', '1825')
    .option('--crl-days <n>', 'the life of its first list (default: 30)', '30')
    .action(run(({ authority }) => authority))

  command(
    'request',
    'make a key and a request for a certificate',
    'Makes a P-256 key in a new file that only you can read, and a request (PKCS #10) that proves that you have it. The key never leaves this machine and is never printed. The authority takes nothing but the key from the request.',
    `
Example
  confidential-worker enrol request --name worker-1

Exit codes
  0   made
  2   a file exists already, or cannot be written`,
  )
    .requiredOption('--name <name>', 'a name of a-z, 0-9 and -')
    .option('--key <file>', 'the new key (default: NAME.key)')
    .option('--out <file>', 'the request (default: NAME.csr)')
    .action(run(({ request }) => request))

  command(
    'issue',
    'issue a certificate for a request',
    'Issues a certificate for the key of a request after checking that its sender has the private key. Name, addresses and purpose come from this command line and the authority; anything else in the request is ignored. Make sure by another path that the request is the one that was sent.',
    `
Examples
  confidential-worker enrol issue worker-1.csr --config workers.json --name worker-1
  confidential-worker enrol issue verifier.csr --config verifiers.json --name verifier --dns verifier.hospital.example
${CONFIGURATION}

Exit codes
  0   issued
  1   refused: the request is not signed by its key, or the key is compromised${EXITS}`,
  )
    .argument('<request>', 'a request in PEM')
    .requiredOption('--config <file>', 'register and key (below)')
    .requiredOption('--name <name>', "the subject's common name, of a-z, 0-9 and -")
    .option('--dns <host>', 'a host name of a Verifier; may be repeated', collect, [])
    .option('--ip <address>', 'an address of a Verifier; may be repeated', collect, [])
    .option('--days <n>', 'its life (default: 90)', '90')
    .option('--out <file>', 'the certificate, a new file (default: NAME.pem)')
    .action(run(({ issue }) => issue))

  command(
    'renew',
    'issue a certificate again, for the same name',
    'Issues a new certificate for the name and addresses of an earlier one. With --request it is for a new key, which is better; otherwise for the same key. The earlier certificate stays valid until its end: revoke it if it should not.',
    `
Example
  confidential-worker enrol renew worker-1.pem --config workers.json --request worker-1b.csr --out worker-1b.pem
${CONFIGURATION}

Exit codes
  0   issued
  1   refused: unknown or revoked${EXITS}`,
  )
    .argument('<certificate>', 'a certificate in PEM, or its serial number')
    .requiredOption('--config <file>', 'register and key (below)')
    .requiredOption('--out <file>', 'the certificate, a new file')
    .option('--request <file>', 'a request with a new key')
    .option('--days <n>', 'its life (default: 90)', '90')
    .action(run(({ renew }) => renew))

  command(
    'revoke',
    'revoke a certificate and write the list',
    'Revokes a certificate for ever and writes a new revocation list to crl.pem in the register. It bites when the other side has the list: copy it to every Verifier (tls.clientCrl) or worker (verifier.crl), which read it within 30 seconds. A second revocation only writes the list again.',
    `
Example
  confidential-worker enrol revoke worker-1.pem --config workers.json --reason key-compromise
${CONFIGURATION}

Exit codes
  0   revoked
  1   refused: this authority has not issued it${EXITS}`,
  )
    .argument('<certificate>', 'a certificate in PEM, or its serial number')
    .requiredOption('--config <file>', 'register and key (below)')
    .option(
      '--reason <reason>',
      'unspecified (default), key-compromise, affiliation-changed, superseded or cessation-of-operation; a key that is compromised gets no certificate again',
      'unspecified',
    )
    .option('--crl-days <n>', 'the life of the list (default: 30)', '30')
    .action(run(({ revoke }) => revoke))

  command(
    'crl',
    'write the revocation list again, before it ends',
    'Writes the revocation list again with a new end. Do this regularly: after the end of a list every certificate of the authority is refused. The metric cw_certificate_days_left of the programs counts down to it.',
    `
Example
  confidential-worker enrol crl --config workers.json
${CONFIGURATION}

Exit codes
  0   written${EXITS}`,
  )
    .requiredOption('--config <file>', 'register and key (below)')
    .option('--crl-days <n>', 'the life of the list (default: 30)', '30')
    .action(run(({ crl }) => crl))

  command(
    'list',
    'list the certificates, the first to end first',
    'Lists the certificates of an authority with their end and state. With --ending it lists only current ones that end within so many days and have no successor, and exits with 1 if there are any.',
    `
Example
  confidential-worker enrol list --config workers.json --ending 14
${CONFIGURATION}

Exit codes
  0   listed
  1   with --ending: some must be renewed${EXITS}`,
  )
    .requiredOption('--config <file>', 'register and key (below)')
    .option('--ending <days>', 'only those that must be renewed within so many days')
    .action(run(({ list }) => list))
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}
