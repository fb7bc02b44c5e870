/**
 * Node's own arguments for a program; whoever starts one takes them from here, and the systemd unit is tested to have the
 * same.
 */
const NODE_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  // No code from strings: nothing that a patient's record says can become a program. And a young generation of 3 × 8 MiB:
  // V8 lets it grow to 128 MiB under a stream of lines, which is half of what a worker may use in all.
  worker: ['--disallow-code-generation-from-strings', '--max-semi-space-size=8'],
}

/** For a program's file below src/, such as `worker/main.ts`. */
export function nodeOptionsFor(file: string): readonly string[] {
  return NODE_OPTIONS[file.split('/')[0] ?? ''] ?? []
}
