/**
 * Builds elements. Styles go through classes only: the page is served without inline styles.
 */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {{ class?: string, text?: string, testid?: string, hidden?: boolean,
 *   attributes?: Record<string, string> }} [traits]
 * @param {(Node | string)[]} [children]
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, traits = {}, children = []) {
  const made = document.createElement(tag);
  if (traits.class) {
    made.className = traits.class;
  }
  if (traits.text !== undefined) {
    made.textContent = traits.text;
  }
  if (traits.testid) {
    made.dataset.testid = traits.testid;
  }
  made.hidden = traits.hidden ?? false;
  for (const [name, value] of Object.entries(traits.attributes ?? {})) {
    made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/**
 * An element that index.html promises.
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) {
    throw new Error(`index.html has no ${kind.name} #${id}`);
  }
  return found;
}

/**
 * Writes a text only where it differs: an unchanged node costs no layout and disturbs no selection.
 * @param {Element} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) {
    target.textContent = text;
  }
}
