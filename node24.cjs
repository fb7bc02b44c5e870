// Loaded before every script of package.json: an older Node cannot parse TypeScript, and would end with a stack.
// It runs on any Node that knows --require.
const NEEDED = [24, 12]

const [major, minor] = process.versions.node.split('.').map(Number)
if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  process.stderr.write(
    `error: this is Node ${process.versions.node}; confidential-worker needs ${NEEDED.join('.')} or newer (config.invalid)\n` +
      '  remedy: run "npm ci", which brings Node 24 for Linux with glibc unless --omit=optional, or install Node 24\n',
  )
  process.exit(78)
}
