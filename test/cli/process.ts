/** Runs the command line as a process: arguments in; stdout, stderr and an exit code out. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const mainOf = (program: string) => fileURLToPath(new URL(`../../src/${program}/main.ts`, import.meta.url))

export type Outcome = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

export function cli(...parameters: readonly string[]): Promise<Outcome> {
  return startCli(...parameters).ended
}

export function startCli(...parameters: readonly string[]) {
  return startMain('cli', parameters)
}

/** With this on stdin, which is a pipe. */
export function cliTyping(typed: string, ...parameters: readonly string[]): Promise<Outcome> {
  return startMain('cli', parameters, typed).ended
}

/** A program itself, not by way of the command line. */
export function runMain(program: string, ...parameters: readonly string[]): Promise<Outcome> {
  return startMain(program, parameters).ended
}

function startMain(program: string, parameters: readonly string[], typed = '') {
  const child = spawn(process.execPath, [mainOf(program), ...parameters], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  // It may end without reading.
  child.stdin.on('error', () => {}).end(typed)
  const ended: Promise<Outcome> = Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]).then(([stdout, stderr, [code]]) => ({ code, stdout, stderr }))
  return { child, ended }
}

/** Asserts that a command printed one sentence with this code, no result, and ended with this exit code. */
export function expectFailure(outcome: Outcome, code: string, exit: number): void {
  assert.equal(outcome.stdout, '')
  assert.match(outcome.stderr, new RegExp(`^error: [^A-Z\n][^\n]*[^.\n] \\(${code.replace('.', '\\.')}\\)\n`))
  assert.equal(outcome.code, exit)
}
