/**
 * The legend under a chart's title: what each line is, and its value under the crosshair, or the
 * newest where there is none.
 */

import { element, setText } from "./dom.js";
import { readingOf } from "./lines.js";
import { text } from "./units.js";

/**
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./rows.js").Rows} Rows
 */

export class Legend {
  /** @type {{ line: Line, value: HTMLElement }[]} */
  #entries = [];
  #root;
  /** @type {import("./units.js").Formatter} */
  #format = () => ({ number: "", unit: "" });

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
  }

  /**
   * @param {Line[]} lines
   * @param {import("./units.js").Formatter} format
   */
  reset(lines, format) {
    this.#format = format;
    this.#entries = lines.map((line) => ({ line, value: element("span", { class: "legend-value" }) }));
    this.#root.replaceChildren(
      ...this.#entries.map(({ line, value }) => {
        const key = element("span", { class: `legend-key legend-${line.mark}` });
        key.classList.toggle("legend-dashed", line.dashed ?? false);
        key.style.setProperty("--key", `var(--${line.color})`);
        return element("li", { class: "legend-entry" }, [
          key,
          element("span", { class: "legend-label", text: line.label }),
          value,
        ]);
      }),
    );
  }

  /**
   * @param {Rows} rows
   * @param {number} row  -1 for none
   */
  show(rows, row) {
    for (const { line, value } of this.#entries) {
      const reading = row < 0 || rows.isBreak(row) ? NaN : readingOf(line.columns, rows, row);
      setText(value, text(this.#format(reading)));
    }
  }
}
