/**
 * HTML by a tagged template. Every value is escaped, in text and in quoted attributes, and only what this
 * module made goes in as it is: the author of a collection chose many of the words on a page.
 */
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

class Markup {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}
export type Html = Markup

/** Nothing is written for null, undefined and false. */
export type Content = Html | string | number | null | undefined | false | readonly Content[]

export function html(texts: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Markup(texts.map((text, index) => text + written(values[index])).join(''))
}

/** An element that no value goes into. Throws a fault of ours for text that would end it. */
export function styleElement(css: string): Html {
  if (css.includes('<')) throw new Error('a style sheet has no "<"')
  return new Markup(`<style>${css}</style>`)
}

function written(content: Content): string {
  if (content === null || content === undefined || content === false) return ''
  if (content instanceof Markup) return content.toString()
  if (typeof content === 'object') return content.map(written).join('')
  return visible(String(content)).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}

/** Controls, among them those that reverse the direction of text, would make words read as others. */
function visible(text: string): string {
  return text.replace(/[\p{C}\u2028\u2029]/gu, '\ufffd')
}
