/**
 * A set: 1 to 64 sealed objects that are one job, as the files of a bulk export are. Its members lie under
 * `set/`, where no event makes a job; its record lies outside and is stored last.
 */
import { hexBytes, objectName } from '../fields.ts'

/** Members of a set, and so objects of a job. */
export const MAX_MEMBERS = 64
/** 128 random bits. */
export const setId = hexBytes(16)

const FOLDER = 'set/'

/** The name of a set record, or of an object that is no member: an event makes a job of it. */
export const ownName = objectName.refine((object) => !isMemberName(object), 'must lie outside set/')

/** Whether no job is made of an object with this name. */
export function isMemberName(object: string): boolean {
  return object.startsWith(FOLDER)
}

export function memberName(set: string, sealId: string): string {
  return `${FOLDER}${set}/${sealId}`
}
