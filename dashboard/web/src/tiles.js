/**
 * The big numbers: one subject each, with what it is made of and how it went.
 */

import { element, setText } from "./dom.js";
import { readingOf } from "./lines.js";
import { devicesOf, interfacesOf } from "./panels.js";
import { named, physicalDevices, physicalInterfaces, plain } from "./selection.js";
import { Sparkline } from "./sparkline.js";
import { byteRate, bytes, celsius, joined, load, networkRate, percent, text } from "./units.js";

/**
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./rows.js").Column} Column
 * @typedef {import("./view.js").View} View
 *
 * @typedef {object} Figure
 * @property {Column[]} columns  summed, or the highest of them
 * @property {boolean} [highest]
 * @property {import("./units.js").Formatter} format
 * @property {(read: (columns: Column[]) => number) => string} detail
 * @property {(read: (columns: Column[]) => number) => number} [ceiling]  of the sparkline
 *
 * @typedef {object} TileKind
 * @property {string} id
 * @property {string} label
 * @property {string} color
 * @property {(store: Store) => Figure | null} figure  null where the host has nothing of the kind
 */

/** @type {TileKind[]} */
const TILES = [
  {
    id: "cpu",
    label: "CPU",
    color: "chart-blue",
    figure(store) {
      const name = "system.cpu.utilization";
      const iowait = named(store.columns, name, { "cpu.mode": "iowait" });
      const steal = named(store.columns, name, { "cpu.mode": "steal" });
      return unlessNone(plain(store.columns, name), {
        format: percent,
        ceiling: () => 1,
        detail: (read) =>
          iowait.length === 0
            ? cpusOf(store)
            : joined([["iowait ", percent(read(iowait))], ["steal ", percent(read(steal))]]),
      });
    },
  },
  {
    id: "memory",
    label: "Memory",
    color: "chart-purple",
    figure(store) {
      const { columns } = store;
      const limit = plain(columns, "system.memory.limit");
      const used = named(columns, "system.memory.usage", { "system.memory.state": "used" });
      return unlessNone(used, {
        format: bytes,
        ceiling: (read) => read(limit),
        detail: (read) => `of ${text(bytes(read(limit)))} · ${text(percent(read(used) / read(limit)))}`,
      });
    },
  },
  {
    id: "load",
    label: "Load",
    color: "chart-sky",
    figure(store) {
      const [five, fifteen] = ["5m", "15m"].map((span) =>
        plain(store.columns, `system.cpu.load_average.${span}`),
      );
      return unlessNone(plain(store.columns, "system.cpu.load_average.1m"), {
        format: load,
        detail: (read) => joined([["5 min ", load(read(five))], ["15 min ", load(read(fifteen))]]),
      });
    },
  },
  {
    id: "network",
    label: "Network",
    color: "chart-green",
    figure(store) {
      const counted = new Set(physicalInterfaces(interfacesOf(store)));
      const all = named(store.columns, "system.network.io").filter(({ series }) =>
        counted.has(series.attributes["network.interface.name"]),
      );
      return unlessNone(all, {
        format: networkRate,
        detail: (read) =>
          joined([
            ["↓ ", networkRate(read(named(all, "system.network.io", { "network.io.direction": "receive" })))],
            ["↑ ", networkRate(read(named(all, "system.network.io", { "network.io.direction": "transmit" })))],
          ]),
      });
    },
  },
  {
    id: "disk",
    label: "Disk",
    color: "chart-orange",
    figure(store) {
      const counted = new Set(physicalDevices(devicesOf(store)));
      const all = named(store.columns, "system.disk.io").filter(({ series }) =>
        counted.has(series.attributes["system.device"]),
      );
      return unlessNone(all, {
        format: byteRate,
        detail: (read) =>
          joined([
            ["r ", byteRate(read(named(all, "system.disk.io", { "disk.io.direction": "read" })))],
            ["w ", byteRate(read(named(all, "system.disk.io", { "disk.io.direction": "write" })))],
          ]),
      });
    },
  },
  {
    id: "pressure",
    label: "Pressure",
    color: "chart-red",
    figure(store) {
      const some = named(store.columns, "system.linux.pressure", {
        "system.pressure.level": "some",
      });
      return unlessNone(some, {
        highest: true,
        format: percent,
        detail: (read) => `most stalled: ${highestOf(some, read, "system.pressure.resource") || "nothing"}`,
      });
    },
  },
  {
    id: "temperature",
    label: "Hottest",
    color: "chart-yellow",
    figure(store) {
      const sensors = named(store.columns, "hw.temperature");
      return unlessNone(sensors, {
        highest: true,
        format: celsius,
        detail: (read) => highestOf(sensors, read, "hw.name") || "unnamed sensor",
      });
    },
  },
];

export class Tiles {
  #parent;
  #store;
  #tiles;
  /** The tile that was drawn last. */
  #next = -1;
  #revision = -1;

  /**
   * @param {HTMLElement} parent
   * @param {Store} store
   * @param {(chart: string) => void} onChosen
   */
  constructor(parent, store, onChosen) {
    this.#parent = parent;
    this.#store = store;
    this.#tiles = TILES.map((kind) => new Tile(kind, parent, onChosen));
  }

  /**
   * @param {View} view
   * @param {number} until  by the page's clock: what is not done then goes on with the next picture
   * @param {boolean} texts  whether it is time to write numbers
   * @returns {boolean} whether that is all
   */
  draw(view, until, texts) {
    if (this.#revision !== this.#store.revision) {
      this.#revision = this.#store.revision;
      for (const tile of this.#tiles) {
        tile.rebuild(this.#store);
      }
      const count = this.#tiles.filter(({ shown }) => shown).length;
      this.#parent.style.setProperty("--tiles", String(count));
      this.#parent.style.setProperty("--half", String(Math.ceil(count / 2)));
    }
    if (texts) {
      this.#tiles.forEach((tile) => tile.tell(view));
    }
    let left = this.#tiles.length;
    do {
      // Goes on where the last picture stopped; one at least, however long the charts take.
      this.#next = (this.#next + 1) % this.#tiles.length;
      this.#tiles[this.#next].draw(this.#store, view);
      left -= 1;
    } while (left > 0 && performance.now() < until);
    return left === 0;
  }
}

class Tile {
  #kind;
  #value = element("span", { class: "tile-value", text: "–" });
  #unit = element("span", { class: "tile-unit" });
  #detail = element("span", { class: "tile-detail", text: "\u00a0" });
  #root;
  #sparkline;
  /** @type {Figure | null} */
  #figure = null;

  /**
   * @param {TileKind} kind
   * @param {HTMLElement} parent
   * @param {(chart: string) => void} onChosen
   */
  constructor(kind, parent, onChosen) {
    this.#kind = kind;
    const canvas = element("canvas", { class: "sparkline", attributes: { "aria-hidden": "true" } });
    this.#sparkline = new Sparkline(canvas, kind.color);
    // Not every host has these; they appear when it turns out that this one does.
    const optional = kind.id === "pressure" || kind.id === "temperature";
    const traits = { class: "tile", testid: `tile-${kind.id}`, hidden: optional };
    this.#root = element("button", { ...traits, attributes: { type: "button", title: "Go to the chart" } }, [
      element("span", { class: "tile-label", text: kind.label }),
      element("span", { class: "tile-figure" }, [this.#value, this.#unit]),
      this.#detail,
      canvas,
    ]);
    this.#root.addEventListener("click", () => onChosen(kind.id));
    parent.append(this.#root);
  }

  get shown() {
    return !this.#root.hidden;
  }

  /** @param {Store} store */
  rebuild(store) {
    if (store.revision > 0) {
      this.#figure = this.#kind.figure(store);
      this.#root.hidden = this.#figure === null;
    }
  }

  /**
   * Writes the numbers.
   * @param {View} view
   */
  tell(view) {
    const figure = this.#figure;
    if (figure && view.last >= 0) {
      const value = readingOf(figure.columns, view.last, figure.highest);
      const { number, unit } = figure.format(value);
      setText(this.#value, number);
      setText(this.#unit, unit);
      setText(this.#detail, figure.detail((columns) => readingOf(columns, view.last)));
      this.#value.dataset.value = Number.isNaN(value) ? "" : String(value);
    }
  }

  /**
   * @param {Store} store
   * @param {View} view
   */
  draw({ rows }, view) {
    const figure = this.#figure;
    if (figure && view.last >= 0) {
      this.#sparkline.draw(figure, rows, view, figure.ceiling?.((columns) => readingOf(columns, view.last)));
    }
  }
}

/**
 * What the highest reading above zero is of, "" where all are zero.
 * @param {Column[]} columns
 * @param {(columns: Column[]) => number} read
 * @param {string} attribute
 */
function highestOf(columns, read, attribute) {
  let name = "";
  let highest = 0;
  for (const column of columns) {
    const value = read([column]);
    if (value > highest) {
      highest = value;
      name = column.series.attributes[attribute] ?? "";
    }
  }
  return name;
}

/** @param {Store} store */
function cpusOf({ hello }) {
  const cpus = hello?.host.cpus ?? NaN;
  return Number.isNaN(cpus) ? "" : `${cpus} ${cpus === 1 ? "CPU" : "CPUs"}`;
}

/**
 * @param {Column[]} columns
 * @param {Omit<Figure, "columns">} traits
 * @returns {Figure | null}
 */
function unlessNone(columns, traits) {
  return columns.length === 0 ? null : { columns, ...traits };
}
