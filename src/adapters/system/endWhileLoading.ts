/**
 * The first import of a program's main file: from here on a signal ends the program in order, although most
 * of its modules are not loaded yet.
 */
import { endAtOnceOnSignal } from './shutdown.ts'

endAtOnceOnSignal(process.argv.slice(2))
