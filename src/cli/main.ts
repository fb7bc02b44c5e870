/**
 * `confidential-worker <command>`. Checks Node's version before it loads anything else: an older Node cannot
 * parse the other modules.
 */
const NEEDED = [24, 12] as const

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  process.stderr.write(
    `error: this is Node ${process.versions.node}; confidential-worker needs ${NEEDED.join('.')} or newer (config.invalid)\n` +
      '  remedy: start it with "npm run --silent cli -- …", which brings its own Node, or install Node 24\n',
  )
  process.exitCode = 78
} else {
  const [command = '', ...parameters] = process.argv.slice(2)
  // Long before the program itself starts and listens for signals.
  if (['worker', 'verifier', 'function'].includes(command)) {
    const { endAtOnceOnSignal } = await import('#adapters/system/shutdown.ts')
    endAtOnceOnSignal(parameters)
  }
  const { runCommandLine } = await import('./commandLine.ts')
  process.exitCode = await runCommandLine(process.argv.slice(2))
}
