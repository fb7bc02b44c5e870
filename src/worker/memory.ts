/**
 * The memory that a worker may need. All figures are upper bounds in MiB of resident memory, measured on
 * objects that are made to cost memory: `npm run bench -- memory`.
 */

/** The idle program (145 in the unit), the headers of a request (256 objects, in sets or not), and the garbage of small lines. */
const PROGRAM_MIB = 160
/** One table of fhir-summary at a time is encoded and checked: both happen in one turn of the event loop. */
const TABLE_MIB = 80
/** The stream's buffers, two lines of 4 MiB with their values, 200,000 cells and their marks. */
const JOB_MIB = 135

/** The memory that a worker with so many concurrent jobs may need, in MiB. */
export function memoryOf(concurrency: number): number {
  return PROGRAM_MIB + TABLE_MIB + concurrency * JOB_MIB
}

/** The most concurrent jobs that fit into so many MiB; 0 if not even one does. */
export function concurrencyIn(memoryMib: number): number {
  return Math.max(0, Math.floor((memoryMib - memoryOf(0)) / JOB_MIB))
}
