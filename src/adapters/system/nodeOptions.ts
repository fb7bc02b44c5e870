/**
 * Node's own arguments for a program; whoever starts one takes them from here, and the systemd unit is tested to have the
 * same.
 */
const NODE_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  // No code from strings: nothing that a patient's record says can become a program. And a young generation of 3 × 8 MiB:
  // V8 lets it grow to 128 MiB under a stream of lines, which is half of what a worker may use in all.
  'src/worker/main.ts': ['--disallow-code-generation-from-strings', '--max-semi-space-size=8'],
}

/** `file`: a program's main file, from the root of the repository. */
export function nodeOptionsFor(file: string): readonly string[] {
  return NODE_OPTIONS[file] ?? []
}
