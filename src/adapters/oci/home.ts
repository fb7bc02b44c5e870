/**
 * A home folder for the SDK. It asks for one while its modules load, and fails under a user without HOME and
 * without an entry in /etc/passwd, as in a container with an arbitrary user id. Imported before the SDK.
 */
import { homedir } from 'node:os'

try {
  homedir()
} catch {
  // biome-ignore lint/style/noProcessEnv: the SDK offers no other way to name the folder
  process.env['HOME'] = '/nonexistent'
}
