/**
 * Which charts there are, in their order on the page, and which series each of them shows.
 */

import { named, physicalDevices, physicalInterfaces, plain, valuesOf } from "./selection.js";
import { readingOf } from "./lines.js";
import { bitRate, byteRate, bytes, celsius, load, percent, perSecond, text } from "./units.js";

/**
 * @typedef {import("./panel.js").PanelKind} PanelKind
 * @typedef {import("./store.js").Store} Store
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./rows.js").Column} Column
 */

/** More lines than this cannot be told apart. */
const MOST_LINES = 8;
/** Cores cross each other all the time, so a heat map is clearer sooner. */
const MOST_CORE_LINES = 6;
const LINE_COLORS = ["blue", "orange", "green", "purple", "sky", "red", "yellow", "grey"];

const INTERFACE = "network.interface.name";
const DEVICE = "system.device";
const CORE = "cpu.logical_number";

/** From the bottom of the stack upwards. @type {[mode: string, color: string][]} */
const CPU_MODES = [
  ["user", "blue"],
  ["nice", "sky"],
  ["system", "orange"],
  ["interrupt", "purple"],
  ["steal", "red"],
  ["iowait", "grey"],
];

/** @type {[state: string, color: string, mark: Line["mark"]][]} */
const MEMORY_STATES = [
  ["used", "blue", "stack"],
  ["buffers", "purple", "stack"],
  ["cached", "green", "stack"],
  // What is left up to the limit is free: it is the empty part of the picture.
  ["free", "grey", "none"],
];

/** @type {[resource: string, color: string][]} */
const PRESSURES = [
  ["cpu", "blue"],
  ["memory", "purple"],
  ["io", "orange"],
];

/** @type {PanelKind} */
const cpu = {
  id: "cpu",
  title: "CPU",
  plot({ columns }) {
    const name = "system.cpu.utilization";
    const modes = CPU_MODES.flatMap(([mode, color]) =>
      line(mode === "interrupt" ? "irq" : mode, color, named(columns.values(), name, { "cpu.mode": mode }), { mark: "stack" }),
    );
    const total = line("total", modes.length > 0 ? "ink" : "blue", plain(columns.values(), name), {
      mark: modes.length > 0 ? "line" : "area",
      mean: modes.length > 0,
    });
    return unlessEmpty([...modes, ...total], { format: percent, floor: 1, ceiling: () => 1 });
  },
};

/** @type {PanelKind} */
const cores = {
  id: "cores",
  title: "Cores",
  heat(store) {
    const all = coresOf(store);
    return all.length > MOST_CORE_LINES ? all : null;
  },
  plot(store) {
    const lines = coresOf(store).flatMap((core, at) =>
      line(`core ${core.series.attributes[CORE]}`, LINE_COLORS[at], [core]),
    );
    return unlessEmpty(lines, { format: percent, floor: 1, ceiling: () => 1 });
  },
};

/** @type {PanelKind} */
const memory = {
  id: "memory",
  title: "Memory",
  plot({ columns, rows }) {
    const limit = plain(columns.values(), "system.memory.limit");
    const states = MEMORY_STATES.flatMap(([state, color, mark]) =>
      line(state, color, named(columns.values(), "system.memory.usage", { "system.memory.state": state }), { mark }),
    );
    const available = plain(columns.values(), "system.linux.memory.available");
    const swap = named(columns.values(), "system.paging.usage", { "system.paging.state": "used" });
    return unlessEmpty(
      [
        ...states,
        ...line("available", "grey", available, { mark: "none" }),
        ...line("swap used", "red", swap, { dashed: true }),
      ],
      {
        format: bytes,
        floor: 1024 ** 2,
        ceiling: (view) => (view.last < 0 ? NaN : readingOf(limit, rows, view.last)),
        binary: true,
      },
    );
  },
};

/** @type {PanelKind} */
const loads = {
  id: "load",
  title: "Load",
  plot({ columns, hello }) {
    const cpus = hello?.host.cpus ?? NaN;
    /** @param {string} span */
    const over = (span) => plain(columns.values(), `system.cpu.load_average.${span}`);
    return unlessEmpty(
      [
        ...line("1 min", "blue", over("1m"), { mark: "area" }),
        ...line("5 min", "orange", over("5m")),
        ...line("15 min", "green", over("15m")),
      ],
      {
        format: load,
        floor: 1,
        ...(cpus > 0 && { reference: { value: cpus, label: cpus === 1 ? "1 CPU" : `${cpus} CPUs` } }),
      },
    );
  },
};

/** @type {PanelKind} */
const network = {
  id: "network",
  title: "Network",
  choices: interfacesOf,
  plot(store, choice) {
    const chosen = choice ? [choice] : physicalInterfaces(interfacesOf(store));
    /** @param {string} direction */
    const going = (direction) =>
      chosen.flatMap((name) =>
        named(store.columns.values(), "system.network.io", {
          [INTERFACE]: name,
          "network.io.direction": direction,
        }),
      );
    return unlessEmpty(
      [
        ...line("in", "green", going("receive"), { mark: "area" }),
        ...line("out", "orange", going("transmit"), { mark: "area", below: true }),
      ],
      { format: bitRate, floor: 125 },
    );
  },
  note({ columns, rows }, row) {
    const errors = readingOf(named(columns.values(), "system.network.errors"), rows, row);
    const dropped = readingOf(named(columns.values(), "system.network.packet.dropped"), rows, row);
    return [
      errors > 0 ? `${text(perSecond(errors))} errors` : [],
      dropped > 0 ? `${text(perSecond(dropped))} dropped` : [],
    ]
      .flat()
      .join(", ");
  },
};

/** @type {PanelKind} */
const disk = {
  id: "disk",
  title: "Disk",
  choices: devicesOf,
  plot(store, choice) {
    const chosen = choice ? [choice] : physicalDevices(devicesOf(store));
    /** @param {string} direction */
    const going = (direction) =>
      chosen.flatMap((name) =>
        named(store.columns.values(), "system.disk.io", { [DEVICE]: name, "disk.io.direction": direction }),
      );
    return unlessEmpty(
      [
        ...line("read", "sky", going("read"), { mark: "area" }),
        ...line("write", "purple", going("write"), { mark: "area", below: true }),
      ],
      { format: byteRate, floor: 1024, binary: true },
    );
  },
};

/** @type {PanelKind} */
const pressure = {
  id: "pressure",
  title: "Pressure",
  plot({ columns }) {
    const lines = PRESSURES.flatMap(([resource, color]) => {
      /** @param {string} level */
      const at = (level) =>
        named(columns.values(), "system.linux.pressure", {
          "system.pressure.resource": resource,
          "system.pressure.level": level,
        });
      return [
        ...line(resource, color, at("some")),
        // The kernel reports "full" for the CPU of a whole host too, but it is always zero.
        ...(resource === "cpu" ? [] : line(`${resource}, all stalled`, color, at("full"), { dashed: true })),
      ];
    });
    return unlessEmpty(lines, { format: percent, floor: 0.05 });
  },
};

/** @type {PanelKind} */
const temperature = {
  id: "temperature",
  title: "Temperatures",
  optional: true,
  plot({ columns }) {
    const lines = named(columns.values(), "hw.temperature")
      .slice(0, MOST_LINES)
      .flatMap((sensor, at) => {
        const { attributes } = sensor.series;
        return line(attributes["hw.name"] ?? attributes["hw.id"] ?? "sensor", LINE_COLORS[at], [sensor]);
      });
    return unlessEmpty(lines, { format: celsius, floor: 60, bottom: 20 });
  },
};

/** @type {PanelKind[]} */
export const PANELS = [cpu, cores, memory, loads, network, disk, pressure, temperature];

/** @param {Store} store */
export function interfacesOf(store) {
  return valuesOf(named(store.columns.values(), "system.network.io"), INTERFACE);
}

/** @param {Store} store */
export function devicesOf(store) {
  return valuesOf(named(store.columns.values(), "system.disk.io"), DEVICE);
}

/** @param {Store} store */
function coresOf(store) {
  const all = named(store.columns.values(), "system.cpu.utilization");
  return valuesOf(all, CORE).flatMap((number) => named(all, "system.cpu.utilization", { [CORE]: number }));
}

/**
 * @param {string} label
 * @param {string} color
 * @param {Column[]} columns
 * @param {Partial<Line>} [traits]
 * @returns {Line[]}  none where the host has no such series
 */
function line(label, color, columns, traits = {}) {
  return columns.length === 0 ? [] : [{ label, color: `chart-${color}`, columns, mark: "line", ...traits }];
}

/**
 * @param {Line[]} lines
 * @param {Omit<import("./linechart.js").Plot, "lines">} traits
 */
function unlessEmpty(lines, traits) {
  return lines.some(({ mark }) => mark !== "none") ? { lines, ...traits } : null;
}
