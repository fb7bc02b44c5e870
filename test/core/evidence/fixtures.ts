import { existsSync } from 'node:fs'

/** The transparency-log vectors beside the repository, if they are present. */
export const FIXTURES = new URL('../../../../shared/fixtures/tlog/', import.meta.url)
export const ABSENT = existsSync(FIXTURES)
  ? false
  : 'the transparency-log fixtures are not beside this repository'
