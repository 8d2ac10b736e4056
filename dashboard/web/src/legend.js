/**
 * The legend beside a chart: what each line is, and its figures over what is visible. It is a table
 * that also says in words what the picture shows.
 */

import { element, setText } from "./dom.js";
import { readingOf } from "./lines.js";
import { brief } from "./units.js";

/**
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./runs.js").Figures} Figures
 */

const KINDS = /** @type {const} */ (["now", "min", "mean", "max"]);

export class Legend {
  root = element("table", { class: "legend" });
  #body = element("tbody");
  #now = element("th", { text: "now", attributes: { scope: "col" } });
  #unit = element("th", { attributes: { scope: "col" } });
  #caption = element("caption", { class: "visually-hidden" });
  /** @type {{ line: Line, at: number, button: HTMLElement, cells: HTMLElement[] }[]} */
  #entries = [];
  #actions;

  /**
   * @param {{ toggle: (label: string) => void, point: (label: string) => void }} actions
   */
  constructor(actions) {
    this.#actions = actions;
    this.root.append(
      this.#caption,
      element("thead", {}, [
        element("tr", {}, [
          this.#unit,
          this.#now,
          ...["min", "mean", "max"].map((text) => element("th", { text, attributes: { scope: "col" } })),
        ]),
      ]),
      this.#body,
    );
  }

  /**
   * @param {string} title
   * @param {Line[]} lines
   * @param {import("./units.js").Formatter} format
   */
  reset(title, lines, format) {
    setText(this.#unit, format(0).unit || "Series");
    setText(this.#caption, `${title}: what is visible`);
    this.#entries = fromTheTop(lines).map((line) => {
      const key = element("span", { class: `legend-key legend-${line.mark}`, attributes: { "aria-hidden": "true" } });
      key.classList.add(`legend-${line.stroke ?? "solid"}`);
      key.style.setProperty("--key", `var(--${line.color})`);
      const button = element("button", { class: "legend-button", attributes: { type: "button", title: "Hide or show" } }, [
        key,
        element("span", { class: "legend-label", text: line.label }),
      ]);
      button.addEventListener("click", () => this.#actions.toggle(line.label));
      const row = { line, at: lines.indexOf(line), button, cells: KINDS.map(() => element("td", { text: "–" })) };
      for (const [event, label] of [["pointerenter", line.label], ["pointerleave", ""]]) {
        button.addEventListener(event, () => this.#actions.point(label));
      }
      return row;
    });
    this.#body.replaceChildren(
      ...this.#entries.map(({ button, cells }) =>
        element("tr", {}, [element("th", { attributes: { scope: "row" } }, [button]), ...cells]),
      ),
    );
  }

  /** @param {(label: string) => boolean} isHidden */
  mark(isHidden) {
    for (const { line, button } of this.#entries) {
      const pressed = String(!isHidden(line.label));
      if (button.ariaPressed !== pressed) {
        button.ariaPressed = pressed;
      }
    }
  }

  /**
   * @param {Figures[]} figures  one a line
   * @param {number | null} row  under the crosshair, -1 where no sample is; null for no crosshair
   * @param {import("./units.js").Formatter} format
   */
  show(figures, row, format) {
    const common = format(0).unit;
    setText(this.#unit, common || "Series");
    setText(this.#now, row === null ? "now" : "then");
    this.#entries.forEach(({ line, at, cells }) => {
      cells.forEach((cell, kind) => {
        const value = kind === 0 && row !== null ? readingOf(line.columns, row, line.highest) : figures[at][KINDS[kind]];
        setText(cell, brief(format(value), common));
      });
    });
  }
}

/**
 * The layers of a stack stand in the legend as in the picture, the topmost first: so a layer is told by its place, too,
 * and not by its colour alone.
 * @param {Line[]} lines
 */
function fromTheTop(lines) {
  const isLayer = (/** @type {Line} */ { mark }) => mark === "stack" || mark === "none";
  return [...lines.filter((line) => !isLayer(line)), ...lines.filter(isLayer).reverse()];
}
