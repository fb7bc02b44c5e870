/**
 * Node's arguments for each program. Every launcher takes them from here; a test compares the systemd unit.
 */
const NODE_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  // No code from strings: no patient's record can become a program. A young generation of 3 × 8 MiB: under a
  // stream of lines V8 lets it grow to 128 MiB, half of a worker's whole limit.
  'src/worker/main.ts': ['--disallow-code-generation-from-strings', '--max-semi-space-size=8'],
}

/** `file`: a program's main file, relative to the root of the repository. */
export function nodeOptionsFor(file: string): readonly string[] {
  return NODE_OPTIONS[file] ?? []
}
