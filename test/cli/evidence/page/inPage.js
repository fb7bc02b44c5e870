/**
 * Questions to a page, answered inside of the browser: `look.colours()` and so on. Plain JavaScript, because
 * the types of the DOM are no types of this project.
 */
globalThis.look = {
  /** Every element with the names of its attributes. */
  shape: () =>
    [...document.querySelectorAll('*')].map((at) => `${at.tagName} ${at.getAttributeNames().join(' ')}`),

  /** The place of the focus among everything that should have it in turn. */
  focus: () => {
    const all = [...document.querySelectorAll('a[href], summary, [tabindex="0"]')]
    const shown = all.filter((at) => at.checkVisibility({ contentVisibilityAuto: true }))
    const { outlineStyle } = getComputedStyle(document.activeElement)
    return { at: shown.indexOf(document.activeElement), of: shown.length, outlineStyle }
  },
  focusedId: () => document.activeElement.id,

  /** Regions that the keyboard reaches without a name to announce. */
  unnamed: () =>
    [...document.querySelectorAll('[role=region]')].filter((at) => !at.getAttribute('aria-label')).length,

  closeAll: () => {
    for (const details of document.querySelectorAll('details')) details.open = false
  },

  /** The colour and the ground of every text that is shown, each pair once. */
  colours: () => {
    const pairs = new Map()
    const groundOf = (element) => {
      for (let at = element; at !== null; at = at.parentElement) {
        const { backgroundColor } = getComputedStyle(at)
        if (backgroundColor !== 'rgba(0, 0, 0, 0)') return backgroundColor
      }
      return 'rgb(255, 255, 255)'
    }
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = node.parentElement
      if (node.textContent.trim() === '' || element.closest('svg') !== null) continue
      const { color, fontSize, fontWeight } = getComputedStyle(element)
      const ground = groundOf(element)
      const size = Number.parseFloat(fontSize)
      const large = size >= 24 || (size >= 18.66 && Number(fontWeight) >= 700)
      const what = `${element.tagName.toLowerCase()}.${element.className}`
      pairs.set(`${color} ${ground} ${large}`, { what, color, ground, large })
    }
    return [...pairs.values()]
  },
  bars: () => ({
    plain: getComputedStyle(document.querySelector('rect.plain')).fill,
    hatched: getComputedStyle(document.querySelector('.hatch-line')).fill,
    ground: getComputedStyle(document.documentElement).backgroundColor,
  }),
  colourOf: (selector) => getComputedStyle(document.querySelector(selector)).color,

  widths: () => ({
    scroll: document.documentElement.scrollWidth,
    client: document.documentElement.clientWidth,
  }),
  print: () => {
    const { color, backgroundColor } = getComputedStyle(document.documentElement)
    const cut = [...document.querySelectorAll('.scroll')].filter(
      (at) => getComputedStyle(at).overflowX !== 'visible',
    )
    return {
      color,
      ground: backgroundColor,
      nav: document.querySelector('nav').checkVisibility(),
      cut: cut.length,
    }
  },
}
