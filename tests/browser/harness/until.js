/** How long anything may take before a test gives up. Generous: nothing waits this long unless it is broken. */
export const PATIENCE_MS = 60_000;

const LOOK_EVERY_MS = 25;

/**
 * Looks until `look` finds something, and returns that.
 * @template Found
 * @param {string} what  that is waited for, for the error message
 * @param {() => Found | Promise<Found>} look
 * @returns {Promise<NonNullable<Found>>}
 */
export async function until(what, look) {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    const found = await look();
    if (found) {
      return found;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  throw new Error(`waited ${PATIENCE_MS / 1000} s in vain for ${what}`);
}
