/**
 * The page on paper: light whatever the theme, as wide as a sheet, with what is out of sight, and with
 * the time that it shows. The browser lays paper out without asking anyone, so all of that is done
 * before, and undone after.
 */

import { byId, setText } from "./dom.js";
import { zonedTime } from "./units.js";

/**
 * @param {() => import("./view.js").View} view  what is shown
 * @param {(isPaper: boolean) => void} draw  everything anew, at once
 */
export function onPaper(view, draw) {
  const time = byId("paper-time", HTMLElement);
  /** @param {boolean} isPaper */
  const turn = (isPaper) => {
    document.documentElement.toggleAttribute("data-paper", isPaper);
    const { from, to } = view();
    setText(time, isPaper ? `${zonedTime(from)} to ${zonedTime(to)}` : "");
    draw(isPaper);
  };
  addEventListener("beforeprint", () => turn(true));
  addEventListener("afterprint", () => turn(false));
}
