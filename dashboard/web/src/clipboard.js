/**
 * Browsers give a page the clipboard only over https or on localhost; elsewhere the text is
 * selected where it is shown, one key press away from being copied.
 */

const TOLD_MS = 1500;

/**
 * @param {string} text
 * @param {HTMLElement} [shown]
 * @returns {Promise<boolean>} whether it is in the clipboard
 */
export async function copy(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    if (shown) {
      getSelection()?.selectAllChildren(shown);
    }
    return false;
  }
}

/**
 * Another label on a button, for a moment.
 * @param {HTMLButtonElement} button
 * @param {string} text
 */
export function flash(button, text) {
  const label = (button.dataset.label ??= button.textContent ?? "");
  button.textContent = text;
  setTimeout(() => {
    button.textContent = label;
  }, TOLD_MS);
}
